/* The thunks that stand for indirect branches, one for each register, in the CPU's numbering. */
#pragma once

#define THUNK_SIZE 32

#ifndef __ASSEMBLY__
extern char branch_thunks[];
#endif
