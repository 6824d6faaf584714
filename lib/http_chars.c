#include "lib/http_chars.h"

/* By what the bytes have in common. */
enum {
    O = 0, /* controls */
    X = HTTP_TEXT,
    V = HTTP_TEXT | HTTP_TARGET,
    S = HTTP_TEXT | HTTP_TARGET | HTTP_HOST,
    T = HTTP_TEXT | HTTP_TARGET | HTTP_TOKEN,
    A = HTTP_TEXT | HTTP_TARGET | HTTP_TOKEN | HTTP_HOST,
    H = HTTP_TEXT | HTTP_TOKEN, /* '#' */
};

/* clang-format off */
const unsigned char http_chars[256] = {
    O, O, O, O, O, O, O, O,  O, X, O, O, O, O, O, O,
    O, O, O, O, O, O, O, O,  O, O, O, O, O, O, O, O,
    /* SP ! " # $ % & '      ( ) * + , - . /         */
    X, A, V, H, A, T, A, A,  S, S, A, A, S, A, A, V,
    /* 0 1 2 3 4 5 6 7       8 9 : ; < = > ?         */
    A, A, A, A, A, A, A, A,  A, A, V, S, V, S, V, V,
    /* @ A B C D E F G       H I J K L M N O         */
    V, A, A, A, A, A, A, A,  A, A, A, A, A, A, A, A,
    /* P Q R S T U V W       X Y Z [ \ ] ^ _         */
    A, A, A, A, A, A, A, A,  A, A, A, V, V, V, T, A,
    /* ` a b c d e f g       h i j k l m n o         */
    T, A, A, A, A, A, A, A,  A, A, A, A, A, A, A, A,
    /* p q r s t u v w       x y z { | } ~ DEL       */
    A, A, A, A, A, A, A, A,  A, A, A, V, T, V, A, O,
    /* 0x80 and above: obs-text                      */
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
};
/* clang-format on */
