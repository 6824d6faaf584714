#include "capturer/capdiff/reading.h"

#include <string.h>
#include <uv.h>

#include "capturer/capdiff/progress.h"

#define ROUND_SIZE                                                                                 \
    ((uint64_t)1024 * 1024) /* bytes of all captures together: the cache holds them */
#define AHEAD_MAX 2         /* rounds */

struct slice_job {
    uv_thread_t thread;
    bool threaded;
    struct recording *recording;
    uint64_t len;
};

void reading_begin(struct reading *reading, struct evidence *evidence, uint64_t round)
{
    const char *name = NULL;
    uint64_t size = 0;
    bool known = true;
    int count = 0;

    memset(reading, 0, sizeof(*reading));
    reading->evidence = evidence;
    reading->round = round != 0 ? round : ROUND_SIZE;
    for (int i = 0; i < SOURCES; i++) {
        if (!evidence->has[i])
            continue;
        count++;
        name = evidence->recordings[i].path;
        known = known && capture_size(evidence->recordings[i].capture) != 0;
        size += capture_size(evidence->recordings[i].capture);
    }
    progress_begin(count == 1 ? name : "all captures", known ? size : 0);
}

void reading_end(struct reading *reading)
{
    (void)reading;
    progress_end();
}

static bool is_open(const struct reading *reading, int source)
{
    return reading->evidence->has[source] && !reading->evidence->recordings[source].over;
}

/* When its last packet was recorded, by the proxy's clock. */
static uint64_t clock_of(const struct reading *reading, int source)
{
    return evidence_time(reading->evidence, (enum source)source,
        reading->evidence->recordings[source].facts.last_ns);
}

/* Those that others have to catch up with first wait. */
static bool has_to_wait(struct reading *reading, int source)
{
    bool ahead = false;

    for (int i = 0; i < SOURCES; i++)
        ahead = ahead || (is_open(reading, i) && clock_of(reading, i) < clock_of(reading, source));
    reading->ahead[source] = ahead ? reading->ahead[source] + 1 : 0;
    return reading->ahead[source] > AHEAD_MAX;
}

/* As long as fits the whole file; equal ones where the files do not tell. */
static uint64_t slice_of_round(const struct reading *reading, int source)
{
    uint64_t all = 0, own = 0, len;

    for (int i = 0; i < SOURCES; i++) {
        uint64_t size =
            is_open(reading, i) ? capture_size(reading->evidence->recordings[i].capture) : 0;

        if (is_open(reading, i) && size == 0)
            return reading->round / SOURCES;
        all += size;
        own = i == source ? size : own;
    }
    len = (uint64_t)((double)reading->round * (double)own / (double)all);
    return len > 0 ? len : 1;
}

static void read_slice(void *arg)
{
    struct slice_job *job = arg;

    recording_read(job->recording, job->len);
}

static void show_progress(const struct reading *reading)
{
    uint64_t offset = 0;

    for (int i = 0; i < SOURCES; i++) {
        if (reading->evidence->has[i])
            offset += capture_offset(reading->evidence->recordings[i].capture);
    }
    progress_at(offset);
}

bool reading_round(struct reading *reading)
{
    struct slice_job jobs[SOURCES];
    int count = 0;

    for (int i = 0; i < SOURCES; i++) {
        if (!is_open(reading, i) || has_to_wait(reading, i))
            continue;
        jobs[count].threaded = false;
        jobs[count].recording = &reading->evidence->recordings[i];
        jobs[count++].len = slice_of_round(reading, i);
    }
    for (int i = 1; i < count; i++)
        jobs[i].threaded = uv_thread_create(&jobs[i].thread, read_slice, &jobs[i]) == 0;
    for (int i = 0; i < count; i++) {
        if (!jobs[i].threaded) /* the first one, and where no thread is to be had */
            read_slice(&jobs[i]);
    }
    for (int i = 0; i < count; i++) {
        if (jobs[i].threaded)
            (void)uv_thread_join(&jobs[i].thread);
    }
    show_progress(reading);
    return count > 0;
}
