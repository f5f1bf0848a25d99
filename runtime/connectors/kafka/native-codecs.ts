/**
 * Imported by batch-codecs.ts when it is needed: a bundle gives packages in CommonJS their names for static imports
 * only.
 */
export { crc32c } from '@node-rs/crc32'
export { lz4Decompress, snappyDecompress } from '@platformatic/wasm-utils'
