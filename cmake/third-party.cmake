# CivetWeb and cJSON, compiled from Debian's source packages (ci/deps unpacks them into .deps/src).
#
# CivetWeb's packaged shared library must not be used: it was built against the OpenSSL 1.1 API and
# crashes at the first HTTPS client, and it lacks IPv6. cJSON is not packaged as a static library.
set(GRID_SOURCES_DIR ${CMAKE_SOURCE_DIR}/.deps/src CACHE PATH "where ci/deps unpacked sources")

if(GRID_SYSTEM_CIVETWEB OR CIVETWEB_LIBRARY OR CIVETWEB_LIBRARIES)
  message(FATAL_ERROR
    "the system's libcivetweb is known to be broken and is refused: it was built against the "
    "OpenSSL 1.1 API, so it crashes at the first HTTPS client, and it has no IPv6.\n"
    "Next: configure without GRID_SYSTEM_CIVETWEB and CIVETWEB_LIBRARY (in a fresh build folder, "
    "or with -U'*CIVETWEB*'); CivetWeb is then built from source as ci/deps fetched it.")
endif()

foreach(file civetweb/src/civetweb.c civetweb/include/civetweb.h cjson/cJSON.c cjson/cJSON.h)
  if(NOT EXISTS ${GRID_SOURCES_DIR}/${file})
    message(FATAL_ERROR "${GRID_SOURCES_DIR}/${file} is missing.\nNext: run ci/deps, "
                        "which fetches the sources of CivetWeb and cJSON.")
  endif()
endforeach()

# Third-party code is built with the preset's sanitizers but without our warnings.
function(grid_third_party name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "INCLUDE" "SOURCES;DEFINITIONS")
  add_library(${name} STATIC ${arg_SOURCES})
  target_compile_options(${name} PRIVATE -w)
  target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
  target_include_directories(${name} SYSTEM PUBLIC ${arg_INCLUDE})
endfunction()

grid_third_party(cjson SOURCES ${GRID_SOURCES_DIR}/cjson/cJSON.c INCLUDE ${GRID_SOURCES_DIR}/cjson)
target_link_libraries(cjson PUBLIC m)

grid_third_party(civetweb
  SOURCES ${GRID_SOURCES_DIR}/civetweb/src/civetweb.c
  INCLUDE ${GRID_SOURCES_DIR}/civetweb/include
  DEFINITIONS USE_IPV6 USE_WEBSOCKET OPENSSL_API_3_0 NO_SSL_DL NO_CGI NO_FILES NO_CACHING
              USE_X_DOM_SOCKET BUILD_DATE="unknown")
