/*
 * The `run` command.
 */
#pragma once

/* Runs a program in a virtual machine; argv is what follows the word `run`. Returns the status. */
int run_command(char **argv);
