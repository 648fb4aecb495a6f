//! Closures in a row, no process at all: an endless source, two small steps, and a last one that ends all of them when it
//! has enough. `cargo run --example chained_stages [COUNT]`

use std::env;
use std::error::Error;
use std::io::{BufRead, Write};

use pipewright::Stage;

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = env::args().nth(1).map_or(Ok(5), |count| count.parse())?;

    let numbers = Stage::from_fn(|_, output| {
        for number in 2_u64.. {
            writeln!(output, "{number}")?;
        }
        Ok(())
    });
    let is_prime = |number: u64| (2..).take_while(|n| n * n <= number).all(|n| number % n != 0);
    let primes = Stage::filter_lines(move |line| line.parse().is_ok_and(is_prime));
    let squares = Stage::map_lines(|line| line.parse::<u64>().map_or("?".into(), |n| format!("{line}² = {}", n * n)));
    let first = Stage::from_fn(move |input, output| {
        for line in input.lines().take(count) {
            writeln!(output, "{}", line?)?;
        }
        Ok(())
    });

    let chain = numbers.label("numbers") | primes.label("primes") | squares.label("squares") | first.label("first");
    let output = chain.output()?;
    print!("{}", output.stdout_str()?);
    for stage in &output.stages {
        println!("{}: {}", stage.label, stage.status);
    }
    Ok(())
}
