import { mount } from 'svelte';
import LineTestApp from '../ui/LineTestApp.svelte';
import '../ui/theme.css';
import { language } from '../words/language.svelte';

language.announce();
const target = document.getElementById('app');
if (target !== null) mount(LineTestApp, { target });
