# A room is a folder of C files. grid_room(ROOM OBJECTS PROGRAM VERSION) makes
#   OBJECTS  a library of every ROOM/*.c but main.c, which the room's unit tests link
#   PROGRAM  from main.c and OBJECTS, in <build>/bin
# A room without C files yet gives an empty library and no program.

# True in RESULT when the room of the current folder has sources besides main.c.
function(grid_room_sources result)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
  set(${result} ${sources} PARENT_SCOPE)
endfunction()

# Library TARGET of SOURCES reporting VERSION; links LIBS. Embeds schema/*.sql under SYMBOL.
function(grid_room_library target version)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "SCHEMA" "SOURCES;LIBS")
  file(GLOB schema CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/schema/*.sql)
  if(NOT arg_SOURCES)
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE grid-flags ${arg_LIBS})
    return()
  endif()
  add_library(${target} STATIC ${arg_SOURCES})
  target_link_libraries(${target} PUBLIC ${arg_LIBS} PRIVATE grid-flags)
  target_compile_definitions(${target} PRIVATE GRID_VERSION="${version}")
  if(schema AND arg_SCHEMA)
    grid_embed(${target} ${arg_SCHEMA} ${schema})
  endif()
endfunction()

# Program TARGET of the room's main.c and its OBJECTS.
function(grid_room_program target objects version)
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
    return()
  endif()
  add_executable(${target} main.c)
  target_link_libraries(${target} PRIVATE ${objects} grid-flags)
  target_compile_definitions(${target} PRIVATE GRID_VERSION="${version}")
endfunction()

# A further build of the current room's PROGRAM for tests, <build>/bin/versions/PROGRAM-VERSION.
function(grid_test_version program objects version)
  set(name ${program}-${version})
  grid_room_program(${name} ${objects} ${version})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/versions)
endfunction()

# The usual room: library PROGRAM-objects (named OBJECTS), program PROGRAM.
function(grid_room objects program version)
  get_filename_component(room ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  string(MAKE_C_IDENTIFIER ${room} symbol)
  grid_room_sources(sources)
  grid_room_library(${objects} ${version} SOURCES ${sources} LIBS grid SCHEMA ${symbol}_schema)
  grid_room_program(${program} ${objects} ${version})
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME)
    grid_release(${program} ${version})
  endif()
endfunction()

# The program is part of what ci/release hands out: target programs builds it, component release
# installs it under the name that the drop box wants.
function(grid_release program version)
  if(NOT TARGET programs)
    add_custom_target(programs)
  endif()
  add_dependencies(programs ${program})
  string(TOLOWER ${CMAKE_SYSTEM_NAME} platform)
  install(PROGRAMS $<TARGET_FILE:${program}> DESTINATION . COMPONENT release EXCLUDE_FROM_ALL
          RENAME ${program}-${version}-${platform}-${CMAKE_SYSTEM_PROCESSOR})
endfunction()
