# cmake -DOUTPUT=bodies.cpp -DHEADER=cli/slurm/bodies.hpp -DNAMESPACE=reelfarm::cli -DTEXTS=farm_body=slurm/farm.sh,... -P EmbedText.cmake
# Writes each file into a C++ file as the std::string_view NAMESPACE::NAME that HEADER declares.
string(REPLACE "," ";" texts "${TEXTS}")
set(code "// Made by cmake/EmbedText.cmake.\n#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n\n")
foreach(pair ${texts})
  string(REPLACE "=" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 file)
  file(READ ${file} body)
  string(APPEND code "const std::string_view ${name} = R\"text(${body})text\";\n\n")
endforeach()
file(WRITE ${OUTPUT} "${code}}  // namespace ${NAMESPACE}\n")
