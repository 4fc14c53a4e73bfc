public import Foundation

/// Checks JSON documents against the subset of JSON Schema that formats/*.schema.json use.
public struct SchemaValidator {
    private let root: [String: Any]

    public init(contentsOf url: URL) throws {
        root = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] ?? [:]
    }

    /// Every violated rule, with the path of the value; empty when the document is valid.
    public func problems(in document: Data) throws -> [String] {
        let value = try JSONSerialization.jsonObject(with: document, options: .fragmentsAllowed)
        return check(value, root, at: "$")
    }

    private func check(_ value: Any, _ schema: [String: Any], at path: String) -> [String] {
        if let reference = schema["$ref"] as? String {
            let name = String(reference.split(separator: "/").last ?? "")
            guard let target = (root["$defs"] as? [String: Any])?[name] as? [String: Any] else {
                return ["\(path): schema refers to \(reference), which does not exist"]
            }
            return check(value, target, at: path)
        }
        if let allowed = schema["enum"] as? [String] {
            return allowed.contains(value as? String ?? "") ? [] : ["\(path): \(value) is not one of \(allowed)"]
        }
        if let constant = schema["const"] as? NSNumber {
            return (value as? NSNumber) == constant ? [] : ["\(path): \(value) is not \(constant)"]
        }
        switch schema["type"] as? String {
        case "object": return checkObject(value, schema, at: path)
        case "array":
            guard let items = value as? [Any] else { return ["\(path): not an array"] }
            let schema = schema["items"] as? [String: Any] ?? [:]
            return items.enumerated().flatMap { check($0.element, schema, at: "\(path)[\($0.offset)]") }
        case "string": return value is String ? [] : ["\(path): not a string"]
        case "boolean": return value is Bool ? [] : ["\(path): not a boolean"]
        case "number": return value is NSNumber ? [] : ["\(path): not a number"]
        case "integer":
            let number = (value as? NSNumber)?.doubleValue
            return number.map { $0 == $0.rounded() } == true ? [] : ["\(path): not an integer"]
        default: return []
        }
    }

    private func checkObject(_ value: Any, _ schema: [String: Any], at path: String) -> [String] {
        guard let object = value as? [String: Any] else { return ["\(path): not an object"] }
        let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
        var problems = (schema["required"] as? [String] ?? []).filter { object[$0] == nil }
            .map { "\(path): no \($0)" }
        for (key, member) in object {
            if let schema = properties[key] {
                problems += check(member, schema, at: "\(path).\(key)")
            } else if let schema = schema["additionalProperties"] as? [String: Any] {
                problems += check(member, schema, at: "\(path).\(key)")
            } else if schema["additionalProperties"] as? Bool == false {
                problems.append("\(path): unexpected \(key)")
            }
        }
        return problems
    }
}
