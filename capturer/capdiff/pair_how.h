/*
 * How it was found out that something seen here is something seen there, and how sure that is.
 */
#ifndef CAPDIFF_PAIR_HOW_H
#define CAPDIFF_PAIR_HOW_H

enum pair_how {
    PAIR_NONE,
    PAIR_ISN,        /* same endpoints, same initial sequence number */
    PAIR_ENDPOINTS,  /* same endpoints, overlapping time */
    PAIR_LOG,        /* the exchange log names both; the bytes agree */
    PAIR_CONTENT,    /* equal request bytes (of a connection) or bodies (of an exchange), in time */
    PAIR_CALL_ID,    /* equal call ids, in time */
    PAIR_START_LINE, /* equal request lines, in time */
    PAIR_ORDER,      /* calls that are alike: the k-th is the k-th, in time */
    PAIR_LIKENESS,   /* what is most alike among what is left, in time */
};
#define PAIR_HOWS 9

enum pair_sureness {
    PAIR_SURE,   /* nothing else fits */
    PAIR_LIKELY, /* others would fit as well, and not better */
    PAIR_GUESS,
};
#define PAIR_SURENESSES 3

/* "by equal request bytes" and the like, and "by_content"-like words for programs. */
const char *pair_how_text(enum pair_how how);
const char *pair_how_word(enum pair_how how);

/* "sure", "likely" or "guess". */
const char *pair_sureness_word(enum pair_sureness sure);

#endif
