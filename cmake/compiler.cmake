# How every file here is compiled: warnings, hardening, sanitizers, and the same bytes each time.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

option(WERROR "Treat warnings as errors" OFF)
option(SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)
if(FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "FUZZ needs clang: configure with CC=clang")
endif()

add_compile_definitions(_GNU_SOURCE AGENT_MITM_VERSION="${PROJECT_VERSION}")
add_compile_options(
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wnull-dereference -Wdouble-promotion
    -Wimplicit-fallthrough -Wdate-time)
if(WERROR)
    add_compile_options(-Werror)
endif()

if(SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
else()
    add_compile_options(-fstack-protector-strong -fstack-clash-protection)
    # Where it was built is no part of a program: debuggers find the sources from the top folder.
    add_compile_options(
        "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=." "-ffile-prefix-map=${CMAKE_BINARY_DIR}=./build")
    add_link_options(-pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    endif()
endif()

if(FUZZ) # all that a target links has to tell the fuzzer which ways it went
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()

include_directories(${CMAKE_SOURCE_DIR})

# program(NAME SOURCES … LIBRARIES …): an object library NAME_objects that tests link, and main.c.
function(program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
    add_library(${name}_objects OBJECT ${ARG_SOURCES})
    target_link_libraries(${name}_objects PUBLIC ${ARG_LIBRARIES})
    add_executable(${name} main.c)
    target_link_libraries(${name} PRIVATE ${name}_objects)
endfunction()
