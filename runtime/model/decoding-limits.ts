/**
 * What decoders allow bytes from outside, so that none makes more than it is worth: a worker that reads a hostile or
 * broken record loses the record or the batch, never its memory and never its time.
 */

/** The most that one batch of Kafka or one page of Parquet may unpack to. */
export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024
/** The most items that all lists and maps of one record may hold together: items of Avro may take no bytes at all. */
export const MAX_ITEMS = 1_000_000
/** The deepest nesting of records, lists and maps: deeper values overflow the stack of whatever walks over them. */
export const MAX_DEPTH = 100
