#include "mitm_proxy/content.h"

const struct json_text *content_json(struct content *content, const char **why)
{
    if (!content->read)
        content->json = json_text_parse(content->text, &content->why, NULL);
    content->read = true;
    if (why != NULL)
        *why = content->why;
    return content->json;
}

const char *content_digest(struct content *content, struct sha256 *sha)
{
    if (*content->sha256)
        return content->sha256;
    sha256_reset(sha);
    sha256_update(sha, content->text.data, content->text.len);
    sha256_hex(sha, content->sha256);
    return content->sha256;
}

void content_deinit(struct content *content)
{
    json_text_free(content->json);
    *content = (struct content){.text = {NULL, 0}};
}
