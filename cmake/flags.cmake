# Compiler flags of our own code (target grid-flags) and of everything (hardening).
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_OPTIMIZE_DEPENDENCIES ON) # a static library is built without what only programs link
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
if("${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${type}}" MATCHES "NDEBUG")
  message(FATAL_ERROR "NDEBUG is set in the compiler flags, but asserts are part of the programs.\n"
                      "Next: remove -DNDEBUG from CMAKE_C_FLAGS or CMAKE_C_FLAGS_${type}.")
endif()

# The same source gives the same bytes wherever it lies, and whether the compiler is told its path from the
# root or, as ccache may do, from the build folder.
file(RELATIVE_PATH source_from_build ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=./
                    -ffile-prefix-map=${source_from_build}=./)
add_compile_definitions(_GNU_SOURCE)
add_link_options(LINKER:--as-needed)
find_package(Threads REQUIRED)

if(GRID_HARDEN)
  include(CheckCCompilerFlag)
  check_c_compiler_flag(-fcf-protection GRID_HAS_CF_PROTECTION)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
                      -fstack-clash-protection)
  if(GRID_HAS_CF_PROTECTION)
    add_compile_options(-fcf-protection)
  endif()
  add_link_options(LINKER:-z,relro,-z,now,-z,noexecstack)
endif()
if(GRID_STATIC)
  add_link_options(-static-pie LINKER:--gc-sections)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
elseif(GRID_HARDEN)
  add_link_options(-pie)
endif()

add_library(grid-flags INTERFACE)
target_compile_options(grid-flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror)
target_include_directories(grid-flags INTERFACE ${CMAKE_SOURCE_DIR})
