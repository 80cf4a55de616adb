/*
 * The frequency of the time-stamp counter that a TCG guest sees.
 */
#pragma once

#include "options.h"

/* In kHz; 0 when this host has no such counter. Takes some milliseconds. */
unsigned long tsc_guest_khz(const struct run_options *options);
