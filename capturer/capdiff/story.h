/*
 * What the exchange log declares, told in sentences: the same words in all reports.
 */
#ifndef CAPDIFF_STORY_H
#define CAPDIFF_STORY_H

#include "capturer/capdiff/evidence.h"
#include "capturer/capdiff/log_change.h"

#define STORY_MAX ((size_t)4096) /* bytes of a sentence */

/*
 * Appends who did what, as far as the log says, without an end: "rule \"r\": request delayed by
 * 50 ms (50.2 ms in the proxy)". Texts from the log are escaped, and cut where they are long.
 */
void story_append(
    const struct crossing *crossing, const struct log_change *change, struct buf *out);

/* All changes that are declared of the exchanges that are held. */
uint64_t story_count(const struct evidence *evidence);

/* Calls TELL for each of them, MAX at the most, by the exchanges' time; in OUT is the sentence. */
typedef void (*story_cb)(void *arg, const struct crossing *crossing,
    const struct log_change *change, const struct buf *sentence);
void story_each(const struct evidence *evidence, uint64_t max, story_cb tell, void *arg);

#endif
