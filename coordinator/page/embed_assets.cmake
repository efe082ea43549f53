# cmake -DOUTPUT=assets.cpp -DDIRECTORY=assets -DNAMES=index.html,page.css,... -P embed_assets.cmake
# Writes each file into a C++ file as an array of bytes, so that the program needs no files at run time.
string(REPLACE "," ";" names "${NAMES}")
set(text "// Made from coordinator/page/assets by embed_assets.cmake.\n#include \"coordinator/page/assets.hpp\"\n\nnamespace reelfarm::page::assets {\n\n")
foreach(name ${names})
  file(READ ${DIRECTORY}/${name} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(MAKE_C_IDENTIFIER "${name}" identifier)
  string(APPEND text "static constexpr char k_${identifier}[] = {${bytes}};\nconst std::string_view ${identifier}{k_${identifier}, sizeof k_${identifier}};\n\n")
endforeach()
string(APPEND text "}  // namespace reelfarm::page::assets\n")
file(WRITE ${OUTPUT} "${text}")
