/* SPDX-License-Identifier: MIT
 * The alternate screen of a terminal, which is left as it was found, whatever ends
 * us. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* Clears the line that it begins. (At the end of a full line, the last character would
 * go too.) */
#define SCREEN_EOL "\r\n\033[K"

/* False: stdin or stdout is no terminal, and nothing was changed. */
bool screen_open(void);
void screen_close(void);

/* Around the output of a picture; it is drawn over the one before. */
void screen_begin(void);
void screen_end(void);

/* Waits for the next picture. False: the user wants to end. */
bool screen_wait(int64_t interval_ms);

#endif
