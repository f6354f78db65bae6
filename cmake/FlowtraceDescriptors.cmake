# SPDX-License-Identifier: Apache-2.0
#
#   ftr_descriptors(VARIABLE SYMBOL ROOT)   the .proto files below ROOT, compiled by protoc into one
#                                           FileDescriptorSet; VARIABLE becomes the C source that defines
#                                           it: `const struct ftri_view SYMBOL`
#
# As a script (cmake -DINPUT=FILE -DSYMBOL=NAME -DOUTPUT=FILE -P) it writes that C source.

if(CMAKE_SCRIPT_MODE_FILE)
    file(READ ${INPUT} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" bytes "${bytes}")
    file(WRITE ${OUTPUT}
        "#include \"base/bytes.h\"\n\n"
        "static const uint8_t bytes[] = {\n${bytes}};\n\n"
        "extern const struct ftri_view ${SYMBOL};\n"
        "const struct ftri_view ${SYMBOL} = {bytes, sizeof bytes};\n")
    return()
endif()

find_program(PROTOC protoc REQUIRED)
set(FTR_DESCRIPTORS_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(ftr_descriptors variable symbol root)
    file(GLOB_RECURSE files RELATIVE ${root} CONFIGURE_DEPENDS ${root}/*.proto)
    list(TRANSFORM files PREPEND ${root}/ OUTPUT_VARIABLE paths)
    set(compiled ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.pb)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
    add_custom_command(OUTPUT ${source}
        COMMAND ${PROTOC} -I ${root} --include_imports --descriptor_set_out=${compiled} ${files}
        COMMAND ${CMAKE_COMMAND} -DINPUT=${compiled} -DSYMBOL=${symbol} -DOUTPUT=${source} -P ${FTR_DESCRIPTORS_SCRIPT}
        DEPENDS ${paths} ${FTR_DESCRIPTORS_SCRIPT} VERBATIM)
    set(${variable} ${source} PARENT_SCOPE)
endfunction()
