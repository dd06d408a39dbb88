# Static programs (preset portable). Everything but libcurl is packaged as a static library; Debian's
# static libcurl wants LDAP, Kerberos, SSH and RTMP, of which no static libraries exist, so a small one
# (HTTP and HTTPS with OpenSSL) is built from Debian's source package.
include(ExternalProject)

if(NOT EXISTS ${GRID_SOURCES_DIR}/curl/CMakeLists.txt)
  message(FATAL_ERROR "preset portable links statically and lacks libcurl's source in "
                      "${GRID_SOURCES_DIR}/curl.\nNext: run ci/deps --portable")
endif()

# NNG's TLS engine and what static libraries cannot name themselves.
grid_system_library(mbedtls HEADER mbedtls/ssl.h LIBRARIES mbedtls mbedx509 mbedcrypto
  PACKAGE libmbedtls-dev)
target_link_libraries(grid::nng INTERFACE grid::mbedtls)
target_link_libraries(grid::sqlite INTERFACE m)

set(prefix ${CMAKE_BINARY_DIR}/curl)
ExternalProject_Add(curl-static
  SOURCE_DIR ${GRID_SOURCES_DIR}/curl
  PREFIX ${prefix}
  CMAKE_GENERATOR Ninja
  CMAKE_ARGS
    -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER} -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_C_FLAGS=${CMAKE_C_FLAGS} -w" -DCMAKE_POSITION_INDEPENDENT_CODE=ON
    -DCMAKE_INSTALL_PREFIX=${prefix} -DCMAKE_INSTALL_LIBDIR=lib
    -DBUILD_SHARED_LIBS=OFF -DBUILD_CURL_EXE=OFF -DBUILD_TESTING=OFF -DENABLE_MANUAL=OFF
    -DHTTP_ONLY=ON -DCURL_USE_OPENSSL=ON -DOPENSSL_USE_STATIC_LIBS=ON
    -DCURL_ZLIB=OFF -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF -DUSE_NGHTTP2=OFF -DUSE_LIBIDN2=OFF
    -DCURL_USE_LIBSSH2=OFF -DCURL_USE_LIBPSL=OFF -DCURL_DISABLE_LDAP=ON
    -DCURL_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt -DCURL_CA_PATH=/etc/ssl/certs
  BUILD_BYPRODUCTS ${prefix}/lib/libcurl.a
  LOG_CONFIGURE ON LOG_BUILD ON LOG_INSTALL ON LOG_OUTPUT_ON_FAILURE ON)

file(MAKE_DIRECTORY ${prefix}/include)
add_library(grid::curl STATIC IMPORTED GLOBAL)
set_target_properties(grid::curl PROPERTIES
  IMPORTED_LOCATION ${prefix}/lib/libcurl.a
  INTERFACE_COMPILE_DEFINITIONS CURL_STATICLIB
  INTERFACE_INCLUDE_DIRECTORIES ${prefix}/include
  INTERFACE_LINK_LIBRARIES grid::openssl)
add_dependencies(grid::curl curl-static)
