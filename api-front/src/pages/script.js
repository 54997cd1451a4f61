// Makes the form nicer. Everything works without it: the server reads numbers in groups, and knows a second click.
'use strict';

const BRANDS = [
  ['American Express', /^3[47]/],
  ['Diners Club', /^3(?:0[0-5]|[689])/],
  ['JCB', /^35/],
  ['Visa', /^4/],
  ['Mastercard', /^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/],
  ['Discover', /^6(?:011|4[4-9]|5)/],
];

// Groups as they stand on the card: American Express and Diners have 4-6-5.
function grouped(digits) {
  const pattern = /^3(?:[47]|0[0-5]|[689])/.test(digits) ? [4, 6, 5] : [4, 4, 4, 4, 3];
  const groups = [];
  let rest = digits;
  for (const length of pattern) {
    if (rest === '') break;
    groups.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return groups.join(' ');
}

// Writes a field anew and leaves the caret behind the same digit.
function rewrite(field, form) {
  const before = field.value.slice(0, field.selectionStart).replace(/\D/g, '').length;
  const written = form(field.value);
  if (written === field.value) return;
  field.value = written;
  let caret = 0;
  for (let seen = 0; caret < written.length && seen < before; caret += 1) {
    if (/\d/.test(written[caret])) seen += 1;
  }
  if (before === written.replace(/\D/g, '').length) caret = written.length;
  field.setSelectionRange(caret, caret);
}

function month(text) {
  const parts = text.split(/[\s/.-]+/);
  if (parts.length > 1 && /^\d$/.test(parts[0])) return '0' + parts[0] + ' / ' + parts[1];
  let digits = text.replace(/\D/g, '');
  if (/^[2-9]/.test(digits)) digits = '0' + digits;
  if (digits.length > 4 && digits.slice(2, 4) === '20') digits = digits.slice(0, 2) + digits.slice(4);
  digits = digits.slice(0, 4);
  return digits.length > 2 ? digits.slice(0, 2) + ' / ' + digits.slice(2) : digits;
}

const form = document.getElementById('pay');
if (form) {
  const number = document.getElementById('number');
  const expiry = document.getElementById('expiry');
  const brand = document.getElementById('brand');
  const button = form.querySelector('button');

  // A form for a bank account has neither.
  number?.addEventListener('input', () => {
    rewrite(number, (text) => grouped(text.replace(/\D/g, '').slice(0, 19)));
    const digits = number.value.replace(/\D/g, '');
    const found = BRANDS.find(([, pattern]) => pattern.test(digits));
    brand.textContent = found ? found[0] : '';
  });
  expiry?.addEventListener('input', (event) => {
    if (!String(event.inputType).startsWith('delete')) rewrite(expiry, month);
  });
  form.addEventListener('submit', () => {
    button.disabled = true;
    button.textContent = 'Paying…';
  });
}

// A browser that goes back may show the page as it was left, and what it asks for may be paid by now.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.replace(location.href);
});
