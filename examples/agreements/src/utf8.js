// QuickJS has neither TextEncoder nor TextDecoder. Percent-encoding is UTF-8 by definition, and
// every engine's decodeURIComponent refuses malformed sequences, so it does the work for both.

const PERCENT = 0x25;

/** Gives the UTF-8 bytes of a string. Throws URIError on a lone surrogate. */
export function encodeUtf8(text) {
  const latin1 = encodeURIComponent(text).replace(/%(..)/g, (_, hex) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Uint8Array.from(latin1, (character) => character.charCodeAt(0));
}

/** Gives the string of UTF-8 bytes. Throws URIError if they are not UTF-8. */
export function decodeUtf8(bytes) {
  let escaped = '';
  for (const byte of bytes) {
    escaped +=
      byte < 0x80 && byte !== PERCENT
        ? String.fromCharCode(byte)
        : '%' + byte.toString(16).padStart(2, '0');
  }
  return decodeURIComponent(escaped);
}
