/* Two captures of one leg: an exchange is in both, and the same, or it is not. */
#include "capturer/capdiff/verdict_state.h"

/* Both captures have all of the connection: what one of them lacks was not there. */
static bool is_sure(const struct court *court, const struct connection *connection)
{
    const struct connection *other = connection->towards_server != NULL
                                         ? connection->towards_server
                                         : connection->towards_client;

    return other != NULL && connection_is_sure(connection) && connection_is_sure(other) &&
           evidence_is_whole(court->evidence, SOURCE_PROXY) &&
           evidence_is_whole(court->evidence, SOURCE_SERVER);
}

void verdict_one_leg(struct court *court, struct case_state *state)
{
    const struct exchange *first = state->crossing->at[VIEW_UPSTREAM_LEG];
    const struct exchange *second = state->crossing->at[VIEW_SERVER];

    if (first != NULL && second != NULL) {
        court->findings->compared++;
        verdict_hop(court, state, HOP_BETWEEN, VIEW_UPSTREAM_LEG);
    } else if (first != NULL && is_sure(court, first->connection)) {
        findings_say(court->findings, FINDING_LOST, HOP_BETWEEN, state->crossing,
            "only the first capture has this exchange");
    } else if (first == NULL && is_sure(court, second->connection)) {
        findings_say(court->findings, FINDING_INVENTED, HOP_BETWEEN, state->crossing,
            "only the second capture has this exchange");
    } else {
        verdict_lacks(court, state, first == NULL ? SOURCE_PROXY : SOURCE_SERVER);
    }
    if (verdict_is_incomplete(state) && !state->doubted)
        findings_doubt(court->findings, DOUBT_INCOMPLETE, SOURCE_PROXY, state->crossing);
}
