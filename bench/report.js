// Sorts a table by the column whose heading is pressed: numbers as numbers, empty cells last.
document.querySelectorAll('th button').forEach(button => button.addEventListener('click', () => {
    const heading = button.parentElement, table = heading.closest('table'), column = heading.cellIndex;
    const up = heading.getAttribute('aria-sort') !== 'ascending', sign = up ? 1 : -1;
    const value = row => row.cells[column].textContent;
    const compare = (a, b) => {
        const x = value(a), y = value(b);
        if (!x || !y) return !x - !y;
        return sign * (heading.className === 'number' ? parseFloat(x) - parseFloat(y) : x.localeCompare(y));
    };
    table.querySelectorAll('th').forEach(other => other.removeAttribute('aria-sort'));
    heading.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}));
