/* The data-race detector (race flavour; sync/race.c): what its own test needs. */
#pragma once

#include <lib/types.h>

/* Races met so far. */
u64 race_reports(void);
/* While it is on, a race is counted and does not end the machine. */
void race_expect(bool on);
