//! Schemas of value types of other modules, for the OpenAPI document.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};

/// The schema of a flat struct, read off its default value: each field with its type and its default. So it needs no description
/// of its own beside the type.
pub(super) fn of_default<T: Serialize + Default>() -> Schema {
    let Ok(Value::Object(fields)) = serde_json::to_value(T::default()) else {
        return Schema::Object(Object::new());
    };
    let object = fields.into_iter().fold(ObjectBuilder::new().schema_type(Type::Object), |object, (name, default)| {
        let field = ObjectBuilder::new().schema_type(type_of(&default)).default(Some(default));
        object.required(name.clone()).property(name, field)
    });
    object.into()
}

fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Boolean,
        Value::Number(number) if number.is_f64() => Type::Number,
        Value::Number(_) => Type::Integer,
        Value::String(_) => Type::String,
        Value::Array(_) => Type::Array,
        Value::Object(_) => Type::Object,
    }
}
