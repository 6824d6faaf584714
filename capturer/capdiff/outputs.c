#include "capturer/capdiff/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "capturer/capdiff/annotate.h"
#include "capturer/capdiff/har.h"
#include "capturer/capdiff/listing.h"
#include "lib/log.h"
#include "lib/own_file.h"

#define SHOWN_MAX (PATH_MAX * 4)

/* Something that is written, as the messages call it. */
struct output {
    const char *what, *option;
};

static const struct output the_report = {"the report", "--output"};
static const struct output an_archive = {"an archive", "--har"};
static const struct output the_packets = {"the packets", "--annotate"};

/* What is written must not overwrite what it speaks of. */
static bool is_input(const struct capdiff_options *options, const char *path)
{
    const char *const inputs[] = {options->proxy_path, options->server_path, options->client_path,
        options->exchange_log_path};
    struct stat output, input;

    if (stat(path, &output) != 0)
        return false;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        if (inputs[i] != NULL && stat(inputs[i], &input) == 0 && input.st_dev == output.st_dev &&
            input.st_ino == output.st_ino)
            return true;
    }
    return false;
}

static void complain_of(const char *what, const char *path, const char *why)
{
    char shown[SHOWN_MAX];

    log_error(
        "cannot write %s to %s: %s", what, log_escape(slice_str(path), shown, sizeof(shown)), why);
}

static bool complain(const char *what, const char *path)
{
    complain_of(what, path, uv_strerror(uv_translate_sys_error(errno)));
    return false;
}

static FILE *open_output(
    const struct capdiff_options *options, const struct output *output, const char *path)
{
    char shown[SHOWN_MAX];
    FILE *file;
    bool made;
    int fd;

    if (is_input(options, path)) {
        log_error("%s %s is one of the files to compare: give it another name", output->option,
            log_escape(slice_str(path), shown, sizeof(shown)));
        return NULL;
    }
    fd = own_file_open(path, O_WRONLY | O_TRUNC, &made);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file != NULL)
        return file;
    complain_of(output->what, path, own_file_strerror(fd < 0 ? fd : UV_ENOMEM));
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

/* Ends FILE; false, after a line, where not all of it arrived. */
static bool close_output(FILE *file, const struct output *output, const char *path)
{
    bool failed = fflush(file) != 0 || ferror(file) != 0;

    if (file != stdout)
        failed = fclose(file) != 0 || failed;
    return !failed || complain(output->what, path);
}

static bool wants_color(const struct capdiff_options *options, FILE *file)
{
    const char *no_color = getenv("NO_COLOR");

    if (options->color != COLOR_AUTO)
        return options->color == COLOR_ALWAYS;
    return (no_color == NULL || *no_color == '\0') && isatty(fileno(file));
}

static void print_report(
    const struct report *report, const struct capdiff_options *options, FILE *file)
{
    bool list = options->server_path == NULL;

    switch (options->format) {
    case FORMAT_JSON:
        (list ? listing_json : report_json)(report, file);
        break;
    case FORMAT_HTML:
        report_html(report, file);
        break;
    case FORMAT_JUNIT:
        report_junit(report, file);
        break;
    default:
        (list ? listing_write : report_text)(report, file, wants_color(options, file));
        break;
    }
}

static bool write_report(const struct report *report, const struct capdiff_options *options)
{
    const char *path = options->output_path;
    FILE *file = path != NULL ? open_output(options, &the_report, path) : stdout;

    bool followed = true;

    if (file == NULL)
        return false;
    if (options->follow == 0)
        print_report(report, options, file);
    else
        followed = listing_follow(report, options->follow, file, wants_color(options, file));
    if (!followed)
        log_error("there is no exchange %llu in the %s: --follow takes a number of its list",
            (unsigned long long)options->follow,
            report->evidence->settled.crowded ? "part of the capture that was kept (see --hold)"
                                              : "capture");
    return close_output(file, &the_report, path != NULL ? path : "standard output") && followed;
}

static bool write_archives(const struct report *report, const struct capdiff_options *options)
{
    char path[PATH_MAX];

    if (mkdir(options->har_path, 0700) != 0 && errno != EEXIST)
        return complain(an_archive.what, options->har_path);
    for (int view = 0; view < VIEWS; view++) {
        FILE *file;

        if (!evidence_has_view(report->evidence, (enum view)view))
            continue;
        snprintf(path, sizeof(path), "%s/%s", options->har_path,
            har_name(report->evidence, (enum view)view));
        file = open_output(options, &an_archive, path);
        if (file == NULL)
            return false;
        har_write(report->evidence, (enum view)view, file);
        if (!close_output(file, &an_archive, path))
            return false;
    }
    return true;
}

static bool write_packets(const struct report *report, const struct capdiff_options *options)
{
    const char *path = options->annotate_path;
    FILE *file = open_output(options, &the_packets, path);
    char err[SHOWN_MAX], shown[SHOWN_MAX];

    if (file == NULL)
        return false;
    if (annotate_write(report, file, err, sizeof(err)) == 0)
        return close_output(file, &the_packets, path);
    log_error("%s", log_escape(slice_str(err), shown, sizeof(shown)));
    (void)fclose(file);
    return false;
}

bool outputs_write(const struct report *report, const struct capdiff_options *options)
{
    return (options->annotate_path == NULL || write_packets(report, options)) &&
           (options->har_path == NULL || write_archives(report, options)) &&
           write_report(report, options);
}
