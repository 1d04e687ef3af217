# cmake -D INPUT=... -D TEMPLATE=... -D OUTPUT=... -P EmbedFile.cmake
# Replaces @BYTES@ in TEMPLATE by the bytes of INPUT as a C++ initialiser.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," BYTES "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n    " BYTES "${BYTES}")
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
