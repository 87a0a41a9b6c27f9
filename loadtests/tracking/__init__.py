"""How well marks follow tissue: known movements, an echo cine and a coronary angiogram."""
