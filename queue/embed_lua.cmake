# cmake -DOUTPUT=scripts_data.cpp -DDIRECTORY=queue/lua -DNAMES=a,b,... -P embed_lua.cmake
# Writes the scripts into a C++ file as raw string literals, so that the programs need no files at run time.
string(REPLACE "," ";" names "${NAMES}")
set(text "// Made from queue/lua/*.lua by embed_lua.cmake.\n#include \"queue/detail/scripts_data.hpp\"\n\nnamespace reelfarm::queue::detail {\n\n")
foreach(name ${names})
  file(READ ${DIRECTORY}/${name}.lua body)
  string(APPEND text "static constexpr std::string_view k_${name} = R\"lua(${body})lua\";\n\n")
endforeach()
string(APPEND text "const std::vector<ScriptSource>& script_sources() {\n  static const std::vector<ScriptSource> sources = {\n")
foreach(name ${names})
  string(APPEND text "      {\"${name}\", k_${name}},\n")
endforeach()
string(APPEND text "  };\n  return sources;\n}\n\n}  // namespace reelfarm::queue::detail\n")
file(WRITE ${OUTPUT} "${text}")
