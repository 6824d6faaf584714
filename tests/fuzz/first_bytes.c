/*
 * The first bytes of a client, as anyone may send them. Once it is known what they are, that stays.
 */
#include "mitm_proxy/first_bytes.h"
#include "tests/fuzz/fuzz.h"

static enum first_bytes look(const char *data, size_t len, char *scratch, struct slice *name)
{
    enum first_bytes answer = first_bytes_look(slice_of(data, len), scratch, name);
    PROMISE(answer == FIRST_BYTES_TLS || name->len == 0);
    PROMISE(name->len == 0 ||
            (name->data >= scratch && name->data + name->len <= scratch + FIRST_BYTES_MAX));
    PROMISE(answer != FIRST_BYTES_MORE || len < FIRST_BYTES_MAX);
    return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char scratch[FIRST_BYTES_MAX], scratch_before[FIRST_BYTES_MAX];
    struct slice name, before_name = slice_of(NULL, 0);
    enum first_bytes before = FIRST_BYTES_MORE;
    for (size_t at = 0; at <= len; at += at < 512 || at + 97 > len ? 1 : 97) {
        enum first_bytes answer = look((const char *)data, at, scratch, &name);
        if (before == FIRST_BYTES_MORE) {
            before = look((const char *)data, at, scratch_before, &before_name);
            continue;
        }
        PROMISE(answer == before);
        PROMISE(slice_equal(name, before_name));
    }
    return 0;
}
