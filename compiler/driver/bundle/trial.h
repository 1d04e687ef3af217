/* trial.h of a convc bundle: one trial, made by the child process that driver.c starts for it. */
#ifndef CONVC_BUNDLE_TRIAL_H
#define CONVC_BUNDLE_TRIAL_H

#include "bundle_table.h"

/* What came of it. */
typedef struct answer {
    char outcome[16]; /* as the records write it, or BUNDLE_WRONG_MACHINE */
    char reason[480];
    double seconds;  /* of one call, the minimum */
    double relative; /* to the default's, timed in turns with it */
    int64_t workspace;
} answer;

/* The outcome that ends the run: no kernel of the bundle would do better here. */
#define BUNDLE_WRONG_MACHINE "wrong-machine"

/* Checks the candidate's output and times it, in turns with the default schedule's; `worthwhile` is what it may take,
 * to the default's time, without being dropped early. Writes an answer into the pipe and ends the process. */
__attribute__((noreturn)) void make_trial(const bundle_layer *layer, const bundle_candidate *candidate,
                                          double worthwhile, int pipe_end);

double monotonic_seconds(void);

#endif /* CONVC_BUNDLE_TRIAL_H */
