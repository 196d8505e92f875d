/* The time of a machine whose clock is off by CLOCK_OFF_S seconds, for a program that is loaded with this one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t off_s;

__attribute__((constructor)) static void read_setting(void) {
    const char *setting = getenv("CLOCK_OFF_S");
    off_s = setting ? atol(setting) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += off_s;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    int failed = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *stored) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (stored) *stored = precise.tv_sec;
    return precise.tv_sec;
}

/* The kernel's clock is right: until a moment of the wrong one it waits as long as until the right moment. */
int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    int (*next)(sem_t *, const struct timespec *) = dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec right = *until;
    right.tv_sec -= off_s;
    return next(semaphore, &right);
}
