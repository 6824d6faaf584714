# What the programs link against, each as an imported target.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# require_library(TARGET MODULE PACKAGE): one sentence when it is missing, not a page of pkg-config.
function(require_library prefix module package)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${prefix}_FOUND)
        message(FATAL_ERROR
            "${module} was not found: install ${package} (./scripts/setup does it on Debian and Ubuntu)")
    endif()
    set(${prefix}_VERSION ${${prefix}_VERSION} PARENT_SCOPE)
endfunction()

require_library(LIBUV libuv libuv1-dev)
require_library(CJSON libcjson libcjson-dev)
require_library(LIBPCAP libpcap libpcap0.8-dev)
require_library(CRYPTO libcrypto libssl-dev)
require_library(SSL libssl libssl-dev)
require_library(SECCOMP libseccomp libseccomp-dev)
require_library(ZLIB zlib zlib1g-dev)
require_library(ZSTD libzstd libzstd-dev)
require_library(LLHTTP libllhttp "libllhttp-dev 9.2.1 or newer")

# Older llhttp lets through requests that two parsers read differently: bare LF, "Name :", folds.
if(LLHTTP_VERSION VERSION_LESS 9.2.1)
    message(FATAL_ERROR
        "llhttp ${LLHTTP_VERSION} is too old to forward HTTP safely: install libllhttp-dev 9.2.1 or "
        "newer, which Debian 13 has (./scripts/setup fetches it on Debian 12 and Ubuntu)")
endif()
