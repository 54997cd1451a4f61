//! The picture of a link: a QR code as PNG, drawn by us and by nobody outside.

use qrcode::{Color, EcLevel, QrCode};

/// Width and height of the picture, pixels: what the document shows.
const SIDE_PX: usize = 300;
/// Light modules around the code, ISO/IEC 18004.
const QUIET_MODULES: usize = 4;
const LIGHT: u8 = 255;
const DARK: u8 = 0;

/// Why no picture is drawn.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// The text does not fit a QR code.
    #[error("draw a QR code: {0:?}")]
    Code(qrcode::types::QrError),
    /// The picture can't be written.
    #[error("draw a QR code: {0}")]
    Picture(#[from] png::EncodingError),
}

/// A picture from which a phone reads the text.
pub fn png(text: &str) -> Result<Vec<u8>, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(QrError::Code)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE_PX as u32, SIDE_PX as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels(&code))?;
    Ok(bytes)
}

/// Rows of pixels, the code in whole pixels a module in the middle.
fn pixels(code: &QrCode) -> Vec<u8> {
    let modules = code.width();
    let module_px = (SIDE_PX / (modules + 2 * QUIET_MODULES)).max(1);
    let margin_px = SIDE_PX.saturating_sub(module_px * modules) / 2;
    let module = |px: usize| px.checked_sub(margin_px).map(|px| px / module_px).filter(|module| *module < modules);
    let mut pixels = vec![LIGHT; SIDE_PX * SIDE_PX];
    for (at, pixel) in pixels.iter_mut().enumerate() {
        if let (Some(x), Some(y)) = (module(at % SIDE_PX), module(at / SIDE_PX))
            && code[(x, y)] == Color::Dark
        {
            *pixel = DARK;
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reader_reads_what_was_written() {
        let link = "https://pay.example.com/payment?link_id=MTI0&key=cq3v5s1h6ubk2n8p0t7w";
        let bytes = png(link).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut picture = vec![0; SIDE_PX * SIDE_PX];
        let frame = reader.next_frame(&mut picture).unwrap();
        assert_eq!((frame.width, frame.height), (SIDE_PX as u32, SIDE_PX as u32));
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(SIDE_PX, SIDE_PX, |x, y| picture[y * SIDE_PX + x]);
        let found = prepared.detect_grids();
        assert_eq!(found[0].decode().unwrap().1, link);
    }

    #[test]
    fn a_text_that_is_too_long_is_an_error() {
        assert!(matches!(png(&"x".repeat(4_000)), Err(QrError::Code(_))));
    }
}
