# cmake -D SOURCES=a;b;c -D TEMPLATE=... -D OUTPUT=... -P DigestSources.cmake
# Replaces @DIGEST@ in TEMPLATE by one digest of the contents of all SOURCES.
set(digests "")
foreach(source IN LISTS SOURCES)
  file(SHA256 ${source} digest)
  string(APPEND digests ${digest})
endforeach()
string(SHA256 DIGEST "${digests}")
string(SUBSTRING ${DIGEST} 0 16 DIGEST)
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
