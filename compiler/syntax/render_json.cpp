// Diagnostics for programs: one JSON object, described in diagnostics.h.
#include <nlohmann/json.hpp>

#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/line_table.h"

namespace convc {
namespace {

using nlohmann::ordered_json;

void add_place(ordered_json &object, const LineTable &lines, SourceRange range) {
    const LineColumn begin = lines.at(range.begin);
    const LineColumn end = lines.at(range.end);
    object["line"] = begin.line;
    object["column"] = begin.column;
    object["end_line"] = end.line;
    object["end_column"] = end.column;
}

ordered_json describe(const LineTable &lines, const DiagnosticNote &note) {
    ordered_json object{{"message", note.message}};
    if (note.range) add_place(object, lines, *note.range);
    return object;
}

ordered_json describe(const LineTable &lines, const FixIt &fixit) {
    ordered_json object{{"replacement", fixit.replacement}};
    add_place(object, lines, fixit.range);
    return object;
}

ordered_json describe(const LineTable &lines, const Diagnostic &diagnostic) {
    ordered_json object{{"id", diagnostic.id},
                        {"severity", diagnostic.severity == Severity::error ? "error" : "warning"},
                        {"message", diagnostic.message}};
    add_place(object, lines, diagnostic.range);
    object["notes"] = ordered_json::array();
    for (const DiagnosticNote &note : diagnostic.notes) object["notes"].push_back(describe(lines, note));
    object["fixits"] = ordered_json::array();
    for (const FixIt &fixit : diagnostic.fixits) object["fixits"].push_back(describe(lines, fixit));
    return object;
}

}  // namespace

std::string render_json(const SourceFile &file, const Diagnostics &diagnostics) {
    const LineTable lines(file.text);
    ordered_json list = ordered_json::array();
    for (const Diagnostic *diagnostic : diagnostics.in_source_order()) list.push_back(describe(lines, *diagnostic));
    const ordered_json object{{"file", file.name},
                              {"errors", diagnostics.errors()},
                              {"warnings", diagnostics.warnings()},
                              {"diagnostics", std::move(list)}};
    // File names need not be UTF-8; JSON has to be.
    return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace convc
