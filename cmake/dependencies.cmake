# Libraries of the system: found, checked for the oldest version known to work, and made targets.
# Every failure names the Debian package and the next step.

# Reads the version of a library out of a header: one regular expression per part, joined by dots.
function(grid_header_version result header)
  file(READ ${header} text)
  set(parts "")
  foreach(regex ${ARGN})
    if(NOT text MATCHES "${regex}")
      set(${result} "0" PARENT_SCOPE)
      return()
    endif()
    list(APPEND parts ${CMAKE_MATCH_1})
  endforeach()
  list(JOIN parts "." version)
  set(${result} ${version} PARENT_SCOPE)
endfunction()

# Defines the imported target grid::NAME from LIBRARIES and the folder that holds HEADER.
# MINIMUM with VERSION_HEADER and VERSION_REGEX refuses libraries older than known to work.
function(grid_system_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;PACKAGE;MINIMUM;VERSION_HEADER"
                        "LIBRARIES;VERSION_REGEX")
  string(TOUPPER ${name} upper)
  find_path(${upper}_INCLUDE_DIR ${arg_HEADER})
  if(NOT ${upper}_INCLUDE_DIR)
    message(FATAL_ERROR "${name}: header ${arg_HEADER} was not found.\n"
                        "Next: run ci/deps, or install ${arg_PACKAGE}.")
  endif()
  set(files "")
  foreach(library ${arg_LIBRARIES})
    find_library(${upper}_${library}_LIBRARY ${library})
    if(NOT ${upper}_${library}_LIBRARY)
      message(FATAL_ERROR "${name}: library ${library} was not found.\n"
                          "Next: run ci/deps, or install ${arg_PACKAGE}.")
    endif()
    list(APPEND files ${${upper}_${library}_LIBRARY})
  endforeach()
  if(arg_MINIMUM)
    grid_header_version(found ${${upper}_INCLUDE_DIR}/${arg_VERSION_HEADER} ${arg_VERSION_REGEX})
    if(found VERSION_LESS arg_MINIMUM)
      message(FATAL_ERROR "${name} ${found} in ${${upper}_INCLUDE_DIR} is too old: ${arg_MINIMUM} is "
                          "the oldest known to work.\nNext: install ${arg_PACKAGE} of Debian 12 or "
                          "newer, or point ${upper}_INCLUDE_DIR and the library at a newer one.")
    endif()
    message(STATUS "${name} ${found}")
  endif()
  add_library(grid::${name} INTERFACE IMPORTED)
  target_link_libraries(grid::${name} INTERFACE ${files})
  target_include_directories(grid::${name} SYSTEM INTERFACE ${${upper}_INCLUDE_DIR})
endfunction()

grid_system_library(openssl HEADER openssl/opensslv.h LIBRARIES ssl crypto PACKAGE libssl-dev
  MINIMUM 3.0 VERSION_HEADER openssl/opensslv.h
  VERSION_REGEX "OPENSSL_VERSION_MAJOR +([0-9]+)" "OPENSSL_VERSION_MINOR +([0-9]+)")
grid_system_library(sodium HEADER sodium.h LIBRARIES sodium PACKAGE libsodium-dev
  MINIMUM 1.0.18 VERSION_HEADER sodium/version.h
  VERSION_REGEX "SODIUM_VERSION_STRING \"([0-9.]+)")
grid_system_library(sqlite HEADER sqlite3.h LIBRARIES sqlite3 PACKAGE libsqlite3-dev
  MINIMUM 3.40 VERSION_HEADER sqlite3.h VERSION_REGEX "SQLITE_VERSION +\"([0-9.]+)")
grid_system_library(nng HEADER nng/nng.h LIBRARIES nng PACKAGE libnng-dev
  MINIMUM 1.5.2 VERSION_HEADER nng/nng.h
  VERSION_REGEX "NNG_MAJOR_VERSION +([0-9]+)" "NNG_MINOR_VERSION +([0-9]+)"
                "NNG_PATCH_VERSION +([0-9]+)")
grid_system_library(inih HEADER ini.h LIBRARIES inih PACKAGE libinih-dev)

if(GRID_STATIC)
  include(portable)
else()
  grid_system_library(curl HEADER curl/curl.h LIBRARIES curl PACKAGE libcurl4-openssl-dev
    MINIMUM 7.88 VERSION_HEADER curl/curlver.h VERSION_REGEX "LIBCURL_VERSION \"([0-9.]+)")
  if(GRID_TESTS)
    grid_system_library(cmocka HEADER cmocka.h LIBRARIES cmocka PACKAGE libcmocka-dev)
  endif()
endif()

target_link_libraries(civetweb PUBLIC grid::openssl Threads::Threads)
