#include "capturer/capdiff/report_index.h"

#include <stdlib.h>

#include "capturer/capdiff/memory.h"

void report_index_init(struct report_index *index, const struct report *report)
{
    const struct findings *findings = report->findings;

    index->report = report;
    index->first = memory_new(report->evidence->count, sizeof(*index->first));
    index->next = memory_new(findings->count, sizeof(*index->next));
    for (size_t i = findings->count; i-- > 0;) {
        const struct crossing *crossing = findings->items[i].crossing;

        if (crossing == NULL)
            continue;
        size_t at = (size_t)(crossing - report->evidence->crossings);

        index->next[i] = index->first[at];
        index->first[at] = i + 1;
    }
}

void report_index_deinit(struct report_index *index)
{
    free(index->first);
    free(index->next);
    index->first = index->next = NULL;
}

const struct finding *report_index_first(const struct report_index *index, size_t crossing)
{
    size_t at = index->first[crossing];

    return at > 0 ? &index->report->findings->items[at - 1] : NULL;
}

const struct finding *report_index_next(
    const struct report_index *index, const struct finding *finding)
{
    const struct findings *findings = index->report->findings;
    size_t at = index->next[finding - findings->items];

    return at > 0 ? &findings->items[at - 1] : NULL;
}

enum view hop_near(enum hop hop)
{
    static const enum view views[HOPS] = {
        VIEW_CLIENT_HOST, VIEW_CLIENT_LEG, VIEW_UPSTREAM_LEG, VIEW_CLIENT_LEG, VIEW_UPSTREAM_LEG};

    return views[hop];
}

static bool is_recorded(const struct report_index *index, enum view view)
{
    return evidence_has_view(index->report->evidence, view);
}

static enum standing compare(const struct exchange *near, const struct exchange *far)
{
    if (near == NULL || far == NULL)
        return CAME_UNSURE;
    if (near->request.state != MESSAGE_WHOLE || far->request.state != MESSAGE_WHOLE ||
        near->response.state != MESSAGE_WHOLE || far->response.state != MESSAGE_WHOLE)
        return CAME_UNSURE;
    return message_equal(&near->request, &far->request) &&
                   message_equal(&near->response, &far->response)
               ? CAME_SAME
               : CAME_EXCUSED;
}

/* Only the server saw it, and that is no reason to doubt the proxy's capture: it came by itself. */
static bool is_aside(const struct report_index *index, const struct crossing *crossing)
{
    return crossing->at[VIEW_UPSTREAM_LEG] == NULL && crossing->at[VIEW_CLIENT_LEG] == NULL &&
           !index->report->evidence->legs.one_leg &&
           findings_lacking(index->report->findings, SOURCE_PROXY) == 0;
}

enum standing report_index_hop(const struct report_index *index, size_t crossing, enum hop hop)
{
    const struct crossing *at = &index->report->evidence->crossings[crossing];
    enum view near = hop_near(hop);

    for (const struct finding *finding = report_index_first(index, crossing); finding != NULL;
         finding = report_index_next(index, finding)) {
        if (finding->hop == hop)
            return CAME_DIFFERENT;
    }
    if (hop == HOP_LOG)
        return at->record != NULL ? CAME_SAME : CAME_NOT;
    if ((hop == HOP_BETWEEN) != index->report->evidence->legs.one_leg)
        return CAME_NOT;
    if (!is_recorded(index, near) || !is_recorded(index, near + 1) ||
        (at->at[near] == NULL && at->at[near + 1] == NULL) || is_aside(index, at))
        return CAME_NOT;

    enum standing standing = compare(at->at[near], at->at[near + 1]);

    return standing == CAME_UNSURE && log_record_excuses(at->record) ? CAME_EXCUSED : standing;
}

enum standing report_index_standing(const struct report_index *index, size_t crossing)
{
    enum standing worst = CAME_NOT;

    for (int hop = 0; hop < HOPS; hop++) {
        enum standing standing = report_index_hop(index, crossing, (enum hop)hop);

        if (standing != CAME_NOT && hop != HOP_LOG && (worst == CAME_NOT || standing > worst))
            worst = standing;
        if (standing == CAME_DIFFERENT)
            return standing;
    }
    return worst;
}
