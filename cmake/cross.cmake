# Included by the toolchain files cmake/ARCH.cmake after they set CMAKE_SYSTEM_PROCESSOR: Debian's cross
# compiler, and libraries from the sysroot that ci/deps --cross unpacks.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${CMAKE_SYSTEM_PROCESSOR}-static)
get_filename_component(CMAKE_SYSROOT
  ${CMAKE_CURRENT_LIST_DIR}/../.deps/sysroot/${CMAKE_SYSTEM_PROCESSOR} ABSOLUTE)
if(NOT EXISTS ${CMAKE_SYSROOT}/.unpacked)
  message(FATAL_ERROR "the libraries for ${CMAKE_SYSTEM_PROCESSOR} are missing: ${CMAKE_SYSROOT}\n"
                      "Next: run ci/deps --cross")
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
