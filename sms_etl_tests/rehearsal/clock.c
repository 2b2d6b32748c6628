/* Moves the calendar of the programs that load it (LD_PRELOAD); what is measured between two moments stays real.
 *
 * The file that REHEARSAL_CLOCK names holds by how many seconds, as eight bytes, and is read each time: whoever
 * writes it moves the clocks of all of them at once. Debian's libfaketime (0.9.10) was tried first: with the
 * monotonic clock left alone, which time-outs need, its clock_nanosleep answers EINVAL, and so Python cannot sleep.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS 1000000000L
/* A moment of the monotonic clock counts from when the machine started: it is never this large. */
#define FIRST_CALENDAR_SECOND 1000000000L

static volatile int64_t *moved_by;
static int (*real_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void start(void) {
    real_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("REHEARSAL_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *moved_by, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) moved_by = found;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real_clock) start(); /* another library asks for the time while it is loaded */
    int failed = real_clock(clock, now);
    if (!failed && moved_by && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *moved_by;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec found;
    int failed = clock_gettime(CLOCK_REALTIME, &found);
    if (!failed) *now = (struct timeval){found.tv_sec, found.tv_nsec / 1000};
    return failed;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

/* A deadline on the moved calendar means nothing to the kernel: wait for as long by the monotonic clock. */
static struct timespec monotonic(const struct timespec *deadline) {
    if (deadline->tv_sec < FIRST_CALENDAR_SECOND) return *deadline;
    struct timespec now, until;
    clock_gettime(CLOCK_REALTIME, &now);
    real_clock(CLOCK_MONOTONIC, &until);
    until.tv_sec += deadline->tv_sec - now.tv_sec;
    until.tv_nsec += deadline->tv_nsec - now.tv_nsec;
    if (until.tv_nsec < 0) until.tv_sec--, until.tv_nsec += NANOSECONDS;
    if (until.tv_nsec >= NANOSECONDS) until.tv_sec++, until.tv_nsec -= NANOSECONDS;
    if (until.tv_sec < 0) until = (struct timespec){0, 0};
    return until;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
    struct timespec until = monotonic(deadline);
    return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &until);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    struct timespec until = monotonic(deadline);
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
}
