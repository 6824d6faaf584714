/*
 * How far a text stays plain from its start on: looked at in words of eight bytes.
 *
 * What ends a run is told of a word at once, by the highest bit of each of its bytes. Only the
 * lowest byte that is marked so counts, since what is above it may be marked wrongly.
 */
#ifndef LIB_TEXT_RUN_H
#define LIB_TEXT_RUN_H

#include <endian.h>
#include <stdint.h>

#include "lib/slice.h"

/* BYTE eight times. */
#define WORD_OF(byte) (0x0101010101010101u * (unsigned char)(byte))

/* Marks bytes below LIMIT. What is past ASCII may be marked or not, here and in word_equal. */
static inline uint64_t word_below(uint64_t word, char limit)
{
    return word - WORD_OF(limit);
}

static inline uint64_t word_equal(uint64_t word, char c)
{
    return word_below(word ^ WORD_OF(c), 1);
}

/* Marks all bytes but those from ' ' to '~'. */
static inline uint64_t word_unprintable(uint64_t word)
{
    return word_below(word, ' ') | (word + WORD_OF(1)) | word;
}

/* LEFT is below 8. */
static inline uint64_t word_of_few(const char *at, size_t left)
{
    uint64_t word = 0;
    uint32_t four;
    uint16_t two;
    if (left & 1)
        word = (unsigned char)at[left - 1];
    if (left & 2) {
        memcpy(&two, at + (left & 4), 2);
        word = word << 16 | le16toh(two);
    }
    if (left & 4) {
        memcpy(&four, at, 4);
        word = word << 32 | le32toh(four);
    }
    return word;
}

/* The LEFT bytes at AT, or eight of more; the first is the lowest, and what is not there NUL. */
static inline uint64_t word_at(const char *at, size_t left)
{
    uint64_t word;
    if (left < sizeof word)
        return word_of_few(at, left);
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

/* The bytes at the start of TEXT before the first that ENDS marks; it has to mark NUL. */
static inline size_t text_run(struct slice text, uint64_t (*ends)(uint64_t word))
{
    for (size_t at = 0; at < text.len; at += 8) {
        uint64_t marked = ends(word_at(text.data + at, text.len - at)) & WORD_OF(0x80);
        if (marked)
            return at + (size_t)__builtin_ctzll(marked) / 8;
    }
    return text.len;
}

#endif
