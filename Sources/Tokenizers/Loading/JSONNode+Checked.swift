import TensorFiles

/// Reading `tokenizer.json`: every value that is not what it must be is named.
struct CheckedNode {
    let node: JSONNode
    let file: String
    let path: String

    var isNull: Bool { node.isNull }

    /// The member, unless it is absent or null.
    subscript(key: String) -> CheckedNode? {
        guard let member = node[key], !member.isNull else { return nil }
        return CheckedNode(node: member, file: file, path: path.isEmpty ? key : "\(path).\(key)")
    }

    func required(_ key: String) throws(TokenizerError) -> CheckedNode {
        guard let member = self[key] else {
            throw .malformed(
                file: file, key: path.isEmpty ? key : "\(path).\(key)", expected: "a value", found: "nothing")
        }
        return member
    }

    var elements: [CheckedNode] {
        node.elements.enumerated().map { CheckedNode(node: $1, file: file, path: "\(path)[\($0)]") }
    }

    func failure(_ expected: String) -> TokenizerError {
        .malformed(file: file, key: path, expected: expected, found: "\(node.kind)")
    }

    func string() throws(TokenizerError) -> String {
        guard let value = node.string else { throw failure("a string") }
        return value
    }

    func bytes() throws(TokenizerError) -> [UInt8] { Array(try string().utf8) }

    func int() throws(TokenizerError) -> Int {
        guard let value = node.int else { throw failure("an integer") }
        return value
    }

    func double() throws(TokenizerError) -> Double {
        guard let value = node.double else { throw failure("a number") }
        return value
    }

    func bool() throws(TokenizerError) -> Bool {
        guard let value = node.bool else { throw failure("true or false") }
        return value
    }

    func bool(_ key: String, default value: Bool) throws(TokenizerError) -> Bool { try self[key]?.bool() ?? value }

    /// The object's "type".
    func type() throws(TokenizerError) -> String { try required("type").string() }

    func array() throws(TokenizerError) -> [CheckedNode] {
        guard node.kind == .array else { throw failure("an array") }
        return elements
    }

    func unsupported(_ found: String, known: [String]) -> TokenizerError {
        .unsupported(file: file, key: path, found: found, known: known)
    }
}
