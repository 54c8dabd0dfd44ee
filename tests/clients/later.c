/* Loaded before the C library: the time of day is later by LATER_SECONDS. So that what ends in a quarter of an hour, the
   shortest life of a session of STS, has ended. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *out) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, out);
    const char *later = getenv("LATER_SECONDS");
    if (done == 0 && clock == CLOCK_REALTIME && later) out->tv_sec += atol(later);
    return done;
}
