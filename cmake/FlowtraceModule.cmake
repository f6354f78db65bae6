# The helpers every folder uses.
#
#   ftr_module(NAME SOURCES a.c b.c [LIBS target...])   one floor: an object library `floor_NAME`
#   ftr_test_program(NAME SOURCE FLOORS base ... [LIBS target...])   a program in build/tests, linked with those floors
#   ftr_unit_test(PATH [THREADS] FLOORS base codec ...) one cmocka program from tests/unit/PATH.c, run by ctest;
#                                                       THREADS: under ThreadSanitizer, too

add_library(ftr_flags INTERFACE)
target_include_directories(ftr_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_options(ftr_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wno-missing-field-initializers -Werror
    -fno-strict-overflow -fstack-protector-strong)
target_compile_definitions(ftr_flags INTERFACE _GNU_SOURCE FTR_BUILDING=1 FTR_VERSION="${PROJECT_VERSION}")
if(FTR_WITH_FAULTS)
    target_compile_definitions(ftr_flags INTERFACE FTR_FAULTS=1)
endif()
if(FTR_SANITIZE)
    # gcc's analysis of what is initialised does not hold for instrumented code.
    target_compile_options(ftr_flags INTERFACE -fsanitize=${FTR_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all -Wno-maybe-uninitialized)
    target_link_options(ftr_flags INTERFACE -fsanitize=${FTR_SANITIZE})
endif()

function(ftr_module name)
    cmake_parse_arguments(MODULE "" "" "SOURCES;LIBS" ${ARGN})
    add_library(floor_${name} OBJECT ${MODULE_SOURCES})
    target_link_libraries(floor_${name} PRIVATE ftr_flags PUBLIC ${MODULE_LIBS})
endfunction()

function(ftr_test_program name source)
    cmake_parse_arguments(PROGRAM "" "" "FLOORS;LIBS" ${ARGN})
    list(TRANSFORM PROGRAM_FLOORS PREPEND floor_)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ftr_flags ${PROGRAM_FLOORS} ${PROGRAM_LIBS} Threads::Threads m)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

function(ftr_unit_test path)
    cmake_parse_arguments(UNIT "THREADS" "" "" ${ARGN})
    string(REPLACE "/" "." name unit.${path})
    ftr_test_program(${name} ${CMAKE_SOURCE_DIR}/tests/unit/${path}.c ${UNIT_UNPARSED_ARGUMENTS} LIBS cmocka)
    add_test(NAME unit/${path} COMMAND ${name})
    set_tests_properties(unit/${path} PROPERTIES TIMEOUT 120 LABELS "unit$<$<BOOL:${UNIT_THREADS}>:;tsan>")
endfunction()
