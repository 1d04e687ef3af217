/* driver.c of a convc bundle: times the candidates of candidates.c on this machine, and appends a line of JSON for each
 * to results.jsonl, which `convc db import` reads. `./tune --help` says more.
 *
 * A trial is made by a child process, which checks the candidate's output and then times it in turns with the default
 * schedule's, as `convc tune` does. Whatever it does to itself, this process goes on. The parent never calls a kernel.
 */
#define _GNU_SOURCE /* flock, prctl, open_memstream. NOLINT(bugprone-reserved-identifier) */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trial.h"

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_ENVIRONMENT = 3, STATUS_INTERRUPTED = 130 };

__attribute__((noreturn, format(printf, 2, 3))) static void die(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("tune: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

/* ---- the command line ----------------------------------------------------------------------------------------------
 */

typedef struct options {
    int threads; /* 0: as CONVC_NUM_THREADS says, or what the candidates were chosen for, or every CPU */
    double limit;
    const char *results;
} options;

static const char help[] =
    "usage: tune [--threads N] [--limit SECONDS] [--results FILE]\n"
    "\n"
    "Times every candidate of this bundle against the default schedule of its layer, and appends the results to a\n"
    "file. What the file has already is not done again: after an interrupt, or a crash of the machine, just start it\n"
    "again. On a machine with convc, `convc db import DB results.jsonl` reads the file.\n"
    "\n"
    "  --threads N        threads of every kernel; else CONVC_NUM_THREADS, else what the candidates were chosen for,\n"
    "                     else one a CPU\n"
    "  --limit SECONDS    a candidate that takes longer counts as one that hangs (60)\n"
    "  --results FILE     where the results go (results.jsonl)\n"
    "  --help             this text\n"
    "\n"
    "Exit status: 0 done; 1 a default schedule failed; 2 usage; 3 the environment; 130 interrupted.\n";

static double number_argument(const char *option, const char *text, double least, double most) {
    char *end = NULL;
    const double value = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end != '\0' || !(value >= least && value <= most)) {
        die(STATUS_USAGE, "%s takes a number from %g to %g, not '%s'", option, least, most, text ? text : "");
    }
    return value;
}

static options read_options(int count, char **arguments) {
    options given = {0, 60, "results.jsonl"};
    for (int i = 1; i < count; i++) {
        const char *option = arguments[i];
        const char *value = i + 1 < count ? arguments[i + 1] : NULL;
        if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
            fputs(help, stdout);
            exit(0);
        }
        if (strcmp(option, "--threads") == 0) {
            given.threads = (int)number_argument(option, value, 1, 256);
        } else if (strcmp(option, "--limit") == 0) {
            given.limit = number_argument(option, value, 0.001, 1e6);
        } else if (strcmp(option, "--results") == 0 && value) {
            given.results = value;
        } else {
            die(STATUS_USAGE, "'%s' is no option, or takes a value; --help says more", option);
        }
        i++;
    }
    return given;
}

static int threads_in_force(const options *given) {
    if (given->threads > 0) return convc_set_threads(given->threads);
    if (!getenv("CONVC_NUM_THREADS") && bundle_threads > 0) return convc_set_threads(bundle_threads);
    return convc_set_threads(0);
}

/* ---- the parent: children ------------------------------------------------------------------------------------------
 */

static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    (void)number;
    interrupted = 1;
}

static void catch_interrupts(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt; /* without SA_RESTART, so that poll() ends */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* The child of a parent that is killed ends too, even where its kernel hangs. It leaves interrupts to the parent. */
static void become_child(int results_file, pid_t parent) {
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(STATUS_INTERRUPTED);
    close(results_file); /* and with it this process's share of the lock */
}

/* Whether all of the answer came within the time. */
static int receive(int from, answer *made, double limit, int *timed_out) {
    const double end = monotonic_seconds() + limit;
    size_t got = 0;
    *timed_out = 0;
    while (!interrupted && got < sizeof *made) {
        const double left = end - monotonic_seconds();
        struct pollfd waiting = {from, POLLIN, 0};
        *timed_out = left <= 0;
        if (*timed_out) return 0;
        if (poll(&waiting, 1, (int)fmin(left * 1000 + 1, 1e6)) <= 0) continue;
        const ssize_t part = read(from, (char *)made + got, sizeof *made - got);
        if (part == 0) return 0;
        if (part > 0) got += (size_t)part;
    }
    return got == sizeof *made;
}

static const char *signal_name(int wanted) {
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGSEGV, "SEGV"}, {SIGBUS, "BUS"},   {SIGILL, "ILL"},   {SIGFPE, "FPE"},
                 {SIGABRT, "ABRT"}, {SIGTRAP, "TRAP"}, {SIGKILL, "KILL"}, {SIGTERM, "TERM"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].number == wanted) return names[i].name;
    }
    return " of another kind";
}

static void describe_failure(answer *made, int timed_out, double limit, int status) {
    memset(made, 0, sizeof *made);
    snprintf(made->outcome, sizeof made->outcome, "%s", timed_out ? "timed-out" : "crashed");
    if (timed_out) {
        snprintf(made->reason, sizeof made->reason, "took more than %.3g s", limit);
    } else if (WIFSIGNALED(status)) {
        snprintf(made->reason, sizeof made->reason, "ended by SIG%s", signal_name(WTERMSIG(status)));
    } else {
        snprintf(made->reason, sizeof made->reason, "ended with status %d", WEXITSTATUS(status));
    }
}

/* The answer is worth nothing where `interrupted` is set afterwards. */
static answer ask_child(const bundle_layer *layer, const bundle_candidate *candidate, double worthwhile, double limit,
                        int results_file) {
    answer made;
    int ends[2];
    const pid_t parent = getpid();
    fflush(NULL);
    if (pipe(ends) != 0) die(STATUS_ENVIRONMENT, "cannot make a pipe: %s", strerror(errno));
    const pid_t child = fork();
    if (child < 0) die(STATUS_ENVIRONMENT, "cannot start a process: %s", strerror(errno));
    if (child == 0) {
        close(ends[0]);
        become_child(results_file, parent);
        make_trial(layer, candidate, worthwhile, ends[1]);
    }
    close(ends[1]);
    int timed_out = 0;
    const int complete = receive(ends[0], &made, limit, &timed_out);
    close(ends[0]);
    if (!complete && (timed_out || interrupted)) kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (!complete) describe_failure(&made, timed_out, limit, status);
    return made;
}

/* ---- the parent: results -------------------------------------------------------------------------------------------
 */

static const char head[] = "{\"convc_trials\":1}\n";

typedef struct results {
    const char *name;
    int file;
    char *known; /* the text of the file when it was opened; whole lines */
    char machine[256];
    int threads;
} results;

static void append(const results *all, const char *text, size_t length) {
    const ssize_t written = write(all->file, text, length);
    if (written != (ssize_t)length || fsync(all->file) != 0) {
        die(STATUS_ENVIRONMENT, "cannot write %s: %s", all->name, written < 0 ? strerror(errno) : "no space left");
    }
}

static char *read_all(const results *all) {
    struct stat facts;
    if (fstat(all->file, &facts) != 0) die(STATUS_ENVIRONMENT, "cannot read %s: %s", all->name, strerror(errno));
    char *text = calloc((size_t)facts.st_size + 1, 1);
    if (!text) die(STATUS_ENVIRONMENT, "no memory for %s", all->name);
    size_t got = 0;
    ssize_t part = 0;
    while (got < (size_t)facts.st_size &&
           (part = pread(all->file, text + got, (size_t)facts.st_size - got, (off_t)got)) > 0) {
        got += (size_t)part;
    }
    if (got < (size_t)facts.st_size) die(STATUS_ENVIRONMENT, "cannot read all of %s", all->name);
    return text;
}

/* A line that a killed run left unfinished goes: its trial is made again. */
static void open_results(results *all, const char *name, int threads) {
    memset(all, 0, sizeof *all);
    all->name = name;
    all->threads = threads;
    gethostname(all->machine, sizeof all->machine - 1);
    all->file = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (all->file < 0) die(STATUS_ENVIRONMENT, "cannot write %s: %s", name, strerror(errno));
    if (flock(all->file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        die(STATUS_ENVIRONMENT, "another run is writing %s; wait for it, or name another file by --results", name);
    }
    all->known = read_all(all);
    char *last = strrchr(all->known, '\n');
    const size_t whole = last ? (size_t)(last - all->known) + 1 : 0;
    if (strncmp(all->known, head, whole > 0 ? sizeof head - 1 : strlen(all->known)) != 0) {
        die(STATUS_ENVIRONMENT, "%s has no results of such a bundle; name another file by --results", name);
    }
    if (all->known[whole] != '\0' && ftruncate(all->file, (off_t)whole) != 0) {
        die(STATUS_ENVIRONMENT, "cannot write %s: %s", name, strerror(errno));
    }
    all->known[whole] = '\0';
    if (whole == 0) append(all, head, sizeof head - 1);
}

static void print_json(FILE *to, const char *name, const char *text) {
    fprintf(to, "\"%s\":\"", name);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            fprintf(to, "\\%c", *c);
        } else if (*c < 0x20) {
            fprintf(to, "\\u%04x", *c);
        } else {
            fputc(*c, to);
        }
    }
    fputs("\",", to);
}

/* How the line of a trial begins: what makes it another than others. */
static void print_key(FILE *to, const results *all, const bundle_layer *layer, const bundle_candidate *candidate) {
    char target[320];
    if (bundle_on_gpu) {
        snprintf(target, sizeof target, "%s", bundle_target);
    } else {
        snprintf(target, sizeof target, "%s %dt", bundle_target, all->threads);
    }
    fputc('{', to);
    print_json(to, "layer", layer->line);
    print_json(to, "target", target);
    print_json(to, "machine", all->machine);
    print_json(to, "build", bundle_build);
    print_json(to, "schedule", candidate->schedule);
}

static FILE *open_text(char **text, size_t *length) {
    FILE *stream = open_memstream(text, length);
    if (!stream) die(STATUS_ENVIRONMENT, "no memory for a line of text");
    return stream;
}

/* The known line that begins with the key, or NULL. */
static const char *find_known(const results *all, const char *key, size_t length) {
    for (const char *line = all->known; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, key, length) == 0) return line;
    }
    return NULL;
}

static void record(const results *all, const bundle_layer *layer, const bundle_candidate *candidate,
                   const answer *made) {
    char *line = NULL;
    size_t length = 0;
    FILE *stream = open_text(&line, &length);
    print_key(stream, all, layer, candidate);
    print_json(stream, "outcome", made->outcome);
    print_json(stream, "reason", made->reason);
    fprintf(stream, "\"seconds\":%.17g,\"relative\":%.17g,\"workspace\":%lld,\"finished\":%lld}\n", made->seconds,
            made->relative, (long long)made->workspace, (long long)time(NULL));
    fclose(stream);
    append(all, line, length);
    free(line);
}

/* Whether the trial is known; then also what came of it. */
static int read_known(const results *all, const bundle_layer *layer, const bundle_candidate *candidate, answer *made) {
    char *key = NULL;
    size_t length = 0;
    FILE *stream = open_text(&key, &length);
    print_key(stream, all, layer, candidate);
    fclose(stream);
    const char *line = find_known(all, key, length);
    free(key);
    if (!line) return 0;
    memset(made, 0, sizeof *made);
    sscanf(line + length, "\"outcome\":\"%15[^\"]\"", made->outcome);
    const char *relative = strstr(line + length, "\"relative\":");
    if (relative) made->relative = strtod(relative + strlen("\"relative\":"), NULL);
    return 1;
}

/* ---- the run -------------------------------------------------------------------------------------------------------
 */

typedef struct progress {
    int64_t done, all, known, failures;
    int status;
} progress;

static int was_measured(const answer *made) {
    return strcmp(made->outcome, "measured") == 0;
}

static void say(const progress *so_far, const bundle_candidate *candidate, const answer *made) {
    printf("[%lld/%lld] ", (long long)so_far->done, (long long)so_far->all);
    if (was_measured(made)) {
        printf("%.4f ms, %.3f x the default  %s\n", 1e3 * made->seconds, made->relative, candidate->schedule);
    } else {
        printf("%s: %s  %s\n", made->outcome, made->reason, candidate->schedule);
    }
    fflush(stdout);
}

static answer new_trial(const results *all, const bundle_layer *layer, const bundle_candidate *candidate,
                        double worthwhile, double limit) {
    if (candidate->info) return ask_child(layer, candidate, worthwhile, limit, all->file);
    answer made;
    memset(&made, 0, sizeof made);
    snprintf(made.outcome, sizeof made.outcome, "%s", candidate->outcome);
    snprintf(made.reason, sizeof made.reason, "%s", candidate->reason);
    return made;
}

/* Nothing of a layer whose default fails can be compared with it. */
static void tune_layer(const results *all, const bundle_layer *layer, double limit, progress *so_far) {
    const double worth_repeats = 1.3;
    double best = 1;
    int named = 0;
    for (int64_t i = 0; i < layer->candidate_count; i++) {
        const bundle_candidate *candidate = &layer->candidates[i];
        answer made;
        so_far->done++;
        const int known = read_known(all, layer, candidate, &made);
        if (!known) {
            if (!named++) printf("%s: %s\n", layer->name, layer->line);
            made = new_trial(all, layer, candidate, i == 0 ? INFINITY : worth_repeats * best, limit);
            if (interrupted) return;
            if (strcmp(made.outcome, BUNDLE_WRONG_MACHINE) == 0) die(STATUS_ENVIRONMENT, "%s", made.reason);
            record(all, layer, candidate, &made);
            say(so_far, candidate, &made);
        }
        so_far->known += known;
        so_far->failures += !was_measured(&made);
        if (was_measured(&made) && made.relative > 0) best = fmin(best, made.relative);
        if (i > 0 || was_measured(&made)) continue;
        fprintf(stderr, "tune: the default schedule of %s is %s; its other candidates are passed over\n", layer->name,
                made.outcome);
        so_far->status = STATUS_FAILED;
        so_far->done += layer->candidate_count - 1;
        return;
    }
}

int main(int count, char **arguments) {
    const options given = read_options(count, arguments);
    const int threads = threads_in_force(&given);
    if (bundle_threads > 0 && threads != bundle_threads) {
        fprintf(stderr, "tune: the candidates were chosen for %d threads, and run with %d\n", bundle_threads, threads);
    }
    results all;
    open_results(&all, given.results, threads);
    catch_interrupts();
    progress so_far = {0, 0, 0, 0, 0};
    for (int i = 0; i < bundle_layer_count; i++) so_far.all += bundle_layers[i].candidate_count;
    for (int i = 0; i < bundle_layer_count && !interrupted; i++) {
        tune_layer(&all, &bundle_layers[i], given.limit, &so_far);
    }
    if (interrupted) die(STATUS_INTERRUPTED, "interrupted; start it again to go on");
    printf("%s: %lld candidates of %d layers, %lld of them known before, %lld failures\n", given.results,
           (long long)so_far.done, bundle_layer_count, (long long)so_far.known, (long long)so_far.failures);
    free(all.known);
    return so_far.status;
}
