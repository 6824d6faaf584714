#include "capturer/capdiff/html_text.h"

#include "lib/utf8.h"

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* The length of the character that can be shown as it is; 0: it must be escaped. */
static size_t plain_length(struct slice bytes)
{
    size_t len = utf8_length(bytes);

    return len > 0 && !utf8_is_unsafe(slice_of(bytes.data, len)) ? len : 0;
}

/* Writes a run of bytes that cannot be shown; returns how many those were. */
static size_t write_hidden(FILE *file, struct slice bytes)
{
    size_t done = 0;

    fputs("<i>", file);
    while (done < bytes.len && plain_length(slice_of(bytes.data + done, bytes.len - done)) == 0) {
        char shown[UTF8_SHOWN_MAX];
        size_t taken;
        size_t len = utf8_show(slice_of(bytes.data + done, bytes.len - done), shown, &taken);

        fwrite(shown, 1, len, file);
        done += taken;
    }
    fputs("</i>", file);
    return done;
}

void html_bytes(FILE *file, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t len = plain_length(bytes);
        const char *entity = entity_of(bytes.data[0]);

        if (len == 0)
            len = write_hidden(file, bytes);
        else if (entity != NULL)
            fputs(entity, file);
        else
            fwrite(bytes.data, 1, len, file);
        bytes = slice_of(bytes.data + len, bytes.len - len);
    }
}

void html_text(FILE *file, const char *text)
{
    html_bytes(file, slice_str(text));
}

/* U+FFFE and U+FFFF are no characters of XML (XML 1.0 §2.2). */
static bool is_xml(struct slice character)
{
    return character.len != 3 || memcmp(character.data, "\xef\xbf", 2) != 0 ||
           (unsigned char)character.data[2] < 0xbe;
}

void xml_bytes(FILE *file, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t len = plain_length(bytes);
        const char *entity = entity_of(bytes.data[0]);
        char shown[UTF8_SHOWN_MAX];

        if (len == 0) {
            fwrite(shown, 1, utf8_show(bytes, shown, &len), file);
        } else if (!is_xml(slice_of(bytes.data, len))) {
            fprintf(file, "\\xef\\xbf\\x%02x", (unsigned char)bytes.data[2]);
        } else if (entity != NULL) {
            fputs(entity, file);
        } else {
            fwrite(bytes.data, 1, len, file);
        }
        bytes = slice_of(bytes.data + len, bytes.len - len);
    }
}
