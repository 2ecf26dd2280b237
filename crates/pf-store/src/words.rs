//! Reading stored words back into types; a word that is none of ours is damage.

use rusqlite::{Row, types::Type};

/// What the word in a column stands for.
pub(crate) fn read<T>(
    row: &Row<'_>,
    column: usize,
    meaning: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let word = row.get_ref(column)?.as_str()?;
    meaning(word).ok_or_else(|| {
        let unknown = format!("unknown word {word:?}").into();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown)
    })
}
