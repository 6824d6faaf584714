# cmake -DOUTPUT=FILE -DHEADER=NAME -DNAMES=a,b -DFILES=x,y -P embed.cmake
# Writes a C file with each of the FILES as a terminated string of its NAME.
string(REPLACE "," ";" NAMES "${NAMES}")
string(REPLACE "," ";" FILES "${FILES}")
set(code "#include \"${HEADER}\"\n")
foreach(name file IN ZIP_LISTS NAMES FILES)
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
    string(APPEND code "\nconst char ${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE "${OUTPUT}" "${code}")
