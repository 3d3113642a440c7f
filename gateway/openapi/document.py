def document(schema, bindings, title):
    return {}
