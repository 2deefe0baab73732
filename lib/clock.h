/* The two clocks: one for deadlines, one for names and ids. */
#ifndef CLOCK_H
#define CLOCK_H

/* Milliseconds on a clock that never steps; for deadlines only. */
long long clock_ms(void);

/* Microseconds since 1970; for ids and file names. */
long long clock_us(void);

#endif
