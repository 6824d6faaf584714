#include "capturer/capdiff/pair_how.h"

const char *pair_how_text(enum pair_how how)
{
    static const char *const texts[PAIR_HOWS] = {"not at all",
        "by endpoints and initial sequence number", "by endpoints and time",
        "by the exchange log, borne out by the bytes", "by equal request bytes",
        "by equal call ids", "by equal request lines", "by order among calls that are alike",
        "by likeness"};

    return texts[how];
}

const char *pair_how_word(enum pair_how how)
{
    static const char *const words[PAIR_HOWS] = {
        "none", "isn", "endpoints", "log", "content", "call_id", "start_line", "order", "likeness"};

    return words[how];
}

const char *pair_sureness_word(enum pair_sureness sure)
{
    static const char *const words[PAIR_SURENESSES] = {"sure", "likely", "guess"};

    return words[sure];
}
