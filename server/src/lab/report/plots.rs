//! Plots as SVG, drawn by `plotters`.

use emofed::emotion::{EMOTIONS, Emotion};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Pixels of a plot.
const SIZE: (u32, u32) = (720, 440);
/// Pixels to its right that the legend has for itself.
const LEGEND_WIDTH: u32 = 360;

/// Colours that people with any colour vision tell apart (Okabe and Ito 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// A line with its name: points `(x, y)`.
pub type Line = (String, Vec<(f64, f64)>);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Lines over a common axis. Says what failed in words where nothing can be drawn.
///
/// # Errors
/// There is no point, or one is not finite.
pub fn lines(title: &str, x: &str, y: &str, lines: &[Line]) -> Result<String, String> {
    let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let (x_range, y_range) = (range(points().map(|point| point.0))?, range(points().map(|point| point.1))?);
    draw(LEGEND_WIDTH, |area| {
        let (area, area_of_legend) = area.split_horizontally(SIZE.0);
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(x_range.0..x_range.1, y_range.0..y_range.1)?;
        chart.configure_mesh().x_desc(x).y_desc(y).light_line_style(RGBColor(235, 235, 235)).draw()?;
        for (index, (_, points)) in lines.iter().enumerate() {
            let style = COLOURS[index % COLOURS.len()].stroke_width(2);
            let points = points.iter().copied();
            // Colours come again in dashes.
            if index < COLOURS.len() {
                chart.draw_series(LineSeries::new(points, style))?;
            } else {
                chart.draw_series(DashedLineSeries::new(points, 6, 4, style))?;
            }
        }
        legend(&area_of_legend, lines.iter().map(|(name, _)| name.as_str()), true)
    })
}

/// Bars of each emotion side by side, one series a colour; values from 0 to 1.
///
/// # Errors
/// A value is not finite.
pub fn emotion_bars(title: &str, y: &str, series: &[(String, [f64; EMOTIONS])]) -> Result<String, String> {
    range(series.iter().flat_map(|(_, values)| *values))?;
    draw(LEGEND_WIDTH, |area| {
        let (area, area_of_legend) = area.split_horizontally(SIZE.0);
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..EMOTIONS as f64, 0.0..1.0)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(EMOTIONS + 1)
            .x_label_formatter(&|_| String::new())
            .y_desc(y)
            .light_line_style(RGBColor(235, 235, 235))
            .draw()?;
        let width = 0.8 / series.len().max(1) as f64;
        for (index, (_, values)) in series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let bars = values.iter().enumerate().map(|(emotion, &value)| {
                let left = emotion as f64 + 0.1 + index as f64 * width;
                Rectangle::new([(left, 0.0), (left + 0.95 * width, value)], colour.filled())
            });
            chart.draw_series(bars)?;
        }
        for emotion in Emotion::ALL {
            let style = ("sans-serif", 13).into_font().color(&BLACK);
            let (left, bottom) = chart.backend_coord(&(emotion.index() as f64 + 0.3, 0.0));
            area.draw(&Text::new(emotion.name(), (left, bottom + 8), style))?;
        }
        legend(&area_of_legend, series.iter().map(|(name, _)| name.as_str()), false)
    })
}

/// Names beside their colours, one below the other: lines, or filled squares.
fn legend<'a>(area: &Area, names: impl Iterator<Item = &'a str>, is_of_lines: bool) -> Drawing {
    for (index, name) in names.enumerate() {
        let (colour, y) = (COLOURS[index % COLOURS.len()], 48 + 22 * index as i32);
        if !is_of_lines {
            area.draw(&Rectangle::new([(8, y - 5), (24, y + 5)], colour.filled()))?;
        } else if index < COLOURS.len() {
            area.draw(&PathElement::new([(4, y), (28, y)], colour.stroke_width(2)))?;
        } else {
            for x in [4, 14, 24] {
                area.draw(&PathElement::new([(x, y), (x + 6, y)], colour.stroke_width(2)))?;
            }
        }
        area.draw(&Text::new(name.to_owned(), (36, y - 6), ("sans-serif", 12)))?;
    }
    Ok(())
}

/// A confusion matrix, `[truth][prediction]`, each row as shares of its clips.
///
/// # Errors
/// Drawing failed.
pub fn confusion(title: &str, matrix: &[[u32; EMOTIONS]; EMOTIONS]) -> Result<String, String> {
    draw(0, |area| {
        area.draw(&Text::new(title.to_owned(), (20, 14), ("sans-serif", 18)))?;
        let (left, top, width, height) = (170, 70, 84, 52);
        let small = ("sans-serif", 13);
        area.draw(&Text::new("raters' majority (rows), model (columns); share of the row, clips", (170, 46), small))?;
        for truth in Emotion::ALL {
            let row = truth.index();
            let y = top + row as i32 * height;
            let clips: u32 = matrix[row].iter().sum();
            area.draw(&Text::new(truth.name(), (70, y + height / 2 - 6), small))?;
            area.draw(&Text::new(truth.name(), (left + row as i32 * width + 10, top + 6 * height + 8), small))?;
            for (column, &count) in matrix[row].iter().enumerate() {
                let share = f64::from(count) / f64::from(clips.max(1));
                let x = left + column as i32 * width;
                let fade = |full: u8| (255.0 - share * f64::from(255 - full)) as u8;
                let fill = RGBColor(fade(COLOURS[0].0), fade(COLOURS[0].1), fade(COLOURS[0].2));
                area.draw(&Rectangle::new([(x, y), (x + width - 2, y + height - 2)], fill.filled()))?;
                let colour = if share > 0.55 { WHITE } else { BLACK };
                let style = small.into_font().color(&colour);
                area.draw(&Text::new(format!("{share:.2}  {count}"), (x + 10, y + height / 2 - 6), style))?;
            }
        }
        Ok(())
    })
}

type Drawing = Result<(), Box<dyn std::error::Error>>;

/// Draws on a white area, `wider` pixels wider than [`SIZE`].
fn draw(wider: u32, paint: impl Fn(&Area) -> Drawing) -> Result<String, String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (SIZE.0 + wider, SIZE.1)).into_drawing_area();
        area.fill(&WHITE).map_err(|error| error.to_string())?;
        paint(&area).map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

/// The range of `values`, with a little room.
fn range(values: impl Iterator<Item = f64>) -> Result<(f64, f64), String> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        if !value.is_finite() {
            return Err("a value is not finite".into());
        }
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        return Err("there is nothing to plot".into());
    }
    let room = if high > low { 0.05 * (high - low) } else { 0.5 };
    Ok((low - room, high + room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_are_svg_with_their_names_and_nothing_is_refused() {
        let svg = lines("F1", "epoch", "macro F1", &[("softmax".into(), vec![(1.0, 0.2), (2.0, 0.4)])]).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("softmax") && svg.trim_end().ends_with("</svg>"));
        assert!(lines("F1", "x", "y", &[]).is_err());
        assert!(lines("F1", "x", "y", &[("a".into(), vec![(0.0, f64::NAN)])]).is_err());
        assert!(emotion_bars("b", "F1", &[("x".into(), [0.5; 6])]).unwrap().contains("sadness"));
        assert!(confusion("c", &[[3; 6]; 6]).unwrap().contains("0.17"));
    }
}
