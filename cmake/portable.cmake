# Static programs (preset portable): what Debian packages only as a shared library, or with more than
# is wanted, is compiled here from Debian's source packages.
#
# Debian's static libcurl wants LDAP, Kerberos, SSH and RTMP, of which no static libraries exist. Ours
# does HTTP and HTTPS, once over OpenSSL and once, for programs with GRID_SMALL_TLS, over mbedTLS,
# which NNG needs anyway: docs/decisions/0012-static-programs.md.
foreach(file curl/lib/easy.c cmocka/src/cmocka.c)
  if(NOT EXISTS ${GRID_SOURCES_DIR}/${file})
    message(FATAL_ERROR "preset portable links statically and lacks the source "
                        "${GRID_SOURCES_DIR}/${file}.\nNext: run ci/deps --portable")
  endif()
endforeach()

# NNG's TLS engine and what static libraries cannot name themselves.
grid_system_library(mbedtls HEADER mbedtls/ssl.h LIBRARIES mbedtls mbedx509 mbedcrypto
  PACKAGE libmbedtls-dev)
target_link_libraries(grid::nng INTERFACE grid::mbedtls)
target_link_libraries(grid::sqlite INTERFACE m)

# libcurl over one TLS library.
function(grid_static_curl target tls definition)
  file(GLOB sources ${GRID_SOURCES_DIR}/curl/lib/*.c ${GRID_SOURCES_DIR}/curl/lib/v*/*.c)
  grid_third_party(${target} SOURCES ${sources} INCLUDE ${GRID_SOURCES_DIR}/curl/include
    DEFINITIONS BUILDING_LIBCURL CURL_STATICLIB HAVE_CONFIG_H ${definition})
  target_include_directories(${target} PRIVATE ${GRID_SOURCES_DIR}/curl/lib
                             ${CMAKE_SOURCE_DIR}/cmake/curl)
  target_link_libraries(${target} PUBLIC ${tls} Threads::Threads)
endfunction()

grid_static_curl(curl-openssl grid::openssl USE_OPENSSL)
grid_static_curl(curl-mbedtls grid::mbedtls USE_MBEDTLS)
add_library(grid::curl INTERFACE IMPORTED)
set(small $<BOOL:$<TARGET_PROPERTY:GRID_SMALL_TLS>>)
target_link_libraries(grid::curl INTERFACE $<IF:${small},curl-mbedtls,curl-openssl>)
target_compile_definitions(grid::curl INTERFACE CURL_STATICLIB)

if(GRID_TESTS)
  grid_third_party(cmocka SOURCES ${GRID_SOURCES_DIR}/cmocka/src/cmocka.c
    INCLUDE ${GRID_SOURCES_DIR}/cmocka/include
    DEFINITIONS HAVE_INTTYPES_H HAVE_MALLOC_H HAVE_SIGNAL_H HAVE_STRINGS_H HAVE_SIGLONGJMP
                HAVE_STRSIGNAL HAVE_CLOCK_REALTIME HAVE_STRUCT_TIMESPEC
                HAVE_GCC_THREAD_LOCAL_STORAGE)
  add_library(grid::cmocka ALIAS cmocka)
endif()
